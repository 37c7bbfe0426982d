//! The tables of docs/configuration.md, from the types of the configuration.

use std::fmt::Write as _;

/// A table begins after this and the names of its sections.
const BEGIN: &str = "<!-- keys: ";
/// See [`BEGIN`].
const END: &str = "<!-- end -->\n";

/// The page with today's tables.
///
/// # Panics
/// When a table has lost its marks, or a key has no table.
pub fn page(text: &str) -> String {
    let keys = unmask_server::keys();
    let (mut page, mut rest, mut told) = (String::new(), text, 0);
    while let Some((before, after)) = rest.split_once(BEGIN) {
        let (sections, after) = after.split_once(" -->\n").expect("the sections end on their line");
        let (_, after) = after.split_once(END).expect("a table ends");
        let _ = writeln!(
            page,
            "{before}{BEGIN}{sections} -->\n\n| key | default | allowed | what |\n|---|---|---|---|"
        );
        for section in sections.split(' ') {
            for key in keys.iter().filter(|key| key.path.split('.').next() == Some(section)) {
                let code = |text: &str| if text.is_empty() { String::new() } else { format!("`{text}`") };
                let (default, about) = (code(&key.default), &key.about);
                let _ = writeln!(page, "| `{}` | {default} | {} | {about} |", key.path, key.allowed);
                told += 1;
            }
        }
        let _ = write!(page, "\n{END}");
        rest = after;
    }
    assert_eq!(told, keys.len(), "every section has its table, once");
    page + rest
}
