//! Bindings of ember-core for R: conversion in, plain named lists out, nothing else.

use extendr_api::prelude::*;

extendr_module! {
    mod ember;
}
