//! Bindings of ember-core for R: conversion in, plain named lists out, nothing else.

use extendr_api::prelude::*;

mod cloning;
mod convert;
mod em;
mod fields;
mod glmm;
mod mixed;
mod mixture;
mod monitor;
mod selection;

/// Version of the Rust core the library was built from.
/// @noRd
#[extendr]
fn native_core_version() -> &'static str {
    ember_core::VERSION
}

extendr_module! {
    mod ember;
    use cloning;
    use em;
    use glmm;
    use mixed;
    use mixture;
    use selection;
    fn native_core_version;
}
