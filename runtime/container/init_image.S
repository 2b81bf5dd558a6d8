// The init program, as bytes inside this one; runtime/container/launch.c puts it into a sealed memfd.
    .section .rodata
    .balign 4096
    .globl init_image
    .globl init_image_end
init_image:
    .incbin INIT_IMAGE
init_image_end:
    .byte 0
    .section .note.GNU-stack,"",@progbits
