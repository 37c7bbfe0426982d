//! Every kept seed, and every case that once failed, through its target.

use std::path::Path;

use unmask_fuzz_targets::TARGETS;

// One test, because the allocator that `image` asks counts for the whole process.
#[test]
fn every_kept_case_gets_its_answer() {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for (name, target) in TARGETS {
        let mut cases = 0;
        for folder in ["seeds", "cases"] {
            let Ok(entries) = std::fs::read_dir(fuzz.join(folder).join(name)) else { continue };
            for entry in entries {
                let path = entry.unwrap().path();
                println!("{}", path.display());
                target(&std::fs::read(path).unwrap());
                cases += 1;
            }
        }
        assert!(cases > 0, "{name} has no seeds");
    }
}
