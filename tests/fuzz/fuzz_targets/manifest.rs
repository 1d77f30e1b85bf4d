//! A manifest: what is accepted can be explained, and its complaints can be printed.
#![no_main]

use libfuzzer_sys::fuzz_target;
use picket::manifest::Manifest;

fuzz_target!(|bytes: &[u8]| match Manifest::parse("plugin.yaml", bytes) {
    Ok(manifest) => {
        let mut text = String::new();
        manifest.explain(&mut text).expect("memory takes everything");
        assert!(text.contains(manifest.plugin_name()), "{text}");
    }
    Err(error) => assert!(error.to_string().contains("plugin.yaml"), "{error}"),
});
