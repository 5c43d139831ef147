//! What fuzzing has found once, and one good input of each kind: `fuzz/regressions/TARGET`.

use std::fs;
use std::path::Path;

macro_rules! bodies {
    ($($name:ident $file:literal)*) => {
        $(#[path = $file]
        mod $name;)*
        /// Every target's name and what it does.
        const TARGETS: &[(&str, fn(&[u8]))] = &[$((stringify!($name), $name::run)),*];
    };
}

bodies! {
    contract_file "../../../fuzz/bodies/contract_file.rs"
    decode "../../../fuzz/bodies/decode.rs"
    email "../../../fuzz/bodies/email.rs"
    forwarded "../../../fuzz/bodies/forwarded.rs"
    idempotency_key "../../../fuzz/bodies/idempotency_key.rs"
    phc "../../../fuzz/bodies/phc.rs"
    proof "../../../fuzz/bodies/proof.rs"
    proxy_header "../../../fuzz/bodies/proxy_header.rs"
    username "../../../fuzz/bodies/username.rs"
}

#[test]
fn what_fuzzing_has_found_stays_mended() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/regressions");
    let mut known = 0;
    for entry in fs::read_dir(&folder).expect("fuzz/regressions").flatten() {
        let target = entry.file_name().into_string().expect("a name");
        let (_, run) = TARGETS.iter().find(|(name, _)| *name == target).expect("a target of this name");
        for file in fs::read_dir(entry.path()).expect("a folder").flatten() {
            run(&fs::read(file.path()).expect("a file"));
            known += 1;
        }
    }
    assert!(known >= TARGETS.len(), "every target has at least one input: {known}");
}
