//! Any template, text, path and pattern: rendered or refused, and never outside the project.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    motif::fuzzing::render(bytes);
});
