// The fetcher program, as bytes inside this one; images/fetch.c puts it into a sealed memfd.
    .section .rodata
    .balign 4096
    .globl fetcher_image
    .globl fetcher_image_end
fetcher_image:
    .incbin FETCHER_IMAGE
fetcher_image_end:
    .byte 0
    .section .note.GNU-stack,"",@progbits
