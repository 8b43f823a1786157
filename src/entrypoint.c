// R calls R_init_ember() when it loads the library; the rest is written in Rust.
#include <R_ext/Rdynload.h>

void R_init_ember_extendr(DllInfo *dll);
void register_extendr_panic_hook(void);

void R_init_ember(DllInfo *dll) {
    // Without the hook a caught panic would print a Rust backtrace before the R error.
    register_extendr_panic_hook();
    // Registers the routines and turns the search for unregistered symbols off.
    R_init_ember_extendr(dll);
}
