// The unpacker program, as bytes inside this one; images/unpack_worker.c puts it into a sealed memfd.
    .section .rodata
    .balign 4096
    .globl unpacker_image
    .globl unpacker_image_end
unpacker_image:
    .incbin UNPACKER_IMAGE
unpacker_image_end:
    .byte 0
    .section .note.GNU-stack,"",@progbits
