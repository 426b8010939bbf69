//! Paths as people read them.

use std::fmt::Write as _;
use std::path::Path;

/// The path on one line whatever it contains: control characters and bytes that are no UTF-8
/// as escapes.
pub fn shown(path: &Path) -> String {
    let mut text = String::new();
    for chunk in path.as_os_str().as_encoded_bytes().utf8_chunks() {
        for character in chunk.valid().chars() {
            if character.is_control() {
                text.extend(character.escape_default());
            } else {
                text.push(character);
            }
        }
        for byte in chunk.invalid() {
            // Writing to a string does not fail.
            let _ = write!(text, "\\x{byte:02X}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;

    use super::*;

    #[test]
    fn a_path_is_one_readable_line() {
        let name = |bytes| shown(Path::new(OsStr::from_bytes(bytes)));
        assert_eq!(name("größe 1.txt".as_bytes()), "größe 1.txt");
        assert_eq!(name(b"two\nlines"), "two\\nlines");
        assert_eq!(name(b"caf\xe9.txt"), "caf\\xE9.txt");
    }
}
