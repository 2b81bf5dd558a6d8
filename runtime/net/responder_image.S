// The responder program, as bytes inside this one; runtime/net/dns.c puts it into a sealed memfd.
    .section .rodata
    .balign 4096
    .globl responder_image
    .globl responder_image_end
responder_image:
    .incbin RESPONDER_IMAGE
responder_image_end:
    .byte 0
    .section .note.GNU-stack,"",@progbits
