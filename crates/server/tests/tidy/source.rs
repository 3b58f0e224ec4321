//! Reads the project's files, and blanks out what is no code, so that rules can look for words.

use std::path::{Path, PathBuf};

/// Folders that hold what is built or fetched.
const NOT_OURS: [&str; 9] =
    ["target", ".git", "node_modules", "dist", ".work", "out", "corpus", "artifacts", "deskbell-data"];

/// One file of the project.
pub struct Source {
    /// Its path from the project's root, with slashes.
    pub path: String,
    /// As it stands.
    pub text: String,
    /// The same lines with comments, strings and characters blanked; for Rust only.
    pub code: String,
    /// For each line, whether it belongs to tests.
    test_lines: Vec<bool>,
}

impl Source {
    fn rust(path: String, text: String) -> Self {
        let code = blank(&text);
        let all = path.contains("/tests/") || path.ends_with("/tests.rs");
        let test_lines = if all { vec![true; text.lines().count()] } else { test_lines(&code) };
        Self { path, text, code, test_lines }
    }

    /// The lines of code that ship, with their numbers from 1.
    pub fn shipped(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.code.lines().zip(&self.test_lines).enumerate();
        lines.filter(|(_, (_, test))| !**test).map(|(index, (line, _))| (index + 1, line))
    }
}

/// The project's root.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .expect("the crate stands two folders deep")
}

/// A file of the project, which must be there.
pub fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// All Rust files of the crates, the measuring tools, the fuzz targets and the simulator.
pub fn rust() -> Vec<Source> {
    let files = ["crates", "bench", "fuzz", "sim"].into_iter().flat_map(|folder| below(&root().join(folder)));
    let rust = files.filter(|path| path.ends_with(".rs"));
    let found: Vec<_> = rust.map(|path| Source::rust(path.clone(), read(&path))).collect();
    assert!(found.len() > 100, "only {} Rust files were found: the search is broken", found.len());
    found
}

/// The Rust files below `crates/NAME/src`.
pub fn of_crate(name: &str) -> Vec<Source> {
    let start = format!("crates/{name}/src/");
    rust().into_iter().filter(|source| source.path.starts_with(&start)).collect()
}

/// Every text that people wrote, with its path.
pub fn texts() -> Vec<(String, String)> {
    let all = below(&root()).into_iter().filter(|path| !path.ends_with(".lock"));
    // What is not text (pictures, fuzz seeds) has no lines to look at.
    all.filter_map(|path| std::fs::read_to_string(root().join(&path)).ok().map(|text| (path, text))).collect()
}

/// Paths of all files below a folder, from the root.
fn below(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let Ok(entries) = std::fs::read_dir(folder) else { return found };
    for entry in entries.map_while(Result::ok) {
        let (path, name) = (entry.path(), entry.file_name());
        if path.is_dir() {
            if !NOT_OURS.contains(&name.to_string_lossy().as_ref()) {
                found.extend(below(&path));
            }
        } else if name == ".git" {
            // A second working copy of the repository has a file by this name.
        } else if let Ok(short) = path.strip_prefix(root()) {
            found.push(short.to_string_lossy().replace('\\', "/"));
        }
    }
    found.sort();
    found
}

/// Blanks comments, strings and characters; every line keeps its length.
pub fn blank(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let end = end_of_text(bytes, at);
        for byte in &mut out[at..end] {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
        at = end.max(at + 1);
    }
    String::from_utf8(out).expect("whole texts were blanked")
}

/// Where the comment, string or character that starts here ends; `at` itself if none starts here.
fn end_of_text(bytes: &[u8], at: usize) -> usize {
    let rest = &bytes[at..];
    if rest.starts_with(b"//") {
        return at + rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
    }
    if rest.starts_with(b"/*") {
        return find(bytes, at + 2, b"*/");
    }
    match rest[0] {
        b'"' => end_of_string(bytes, at + 1, b'"'),
        b'r' if !follows_word(bytes, at) || bytes[at - 1] == b'b' => raw_string(bytes, at),
        // A lifetime has no second quote; a character ends after one letter or one escape.
        b'\'' if rest.get(1) == Some(&b'\\') => end_of_string(bytes, at + 1, b'\''),
        b'\'' => {
            let letter = std::str::from_utf8(&rest[1..]).ok().and_then(|text| text.chars().next());
            let quote = 1 + letter.map_or(0, char::len_utf8);
            if rest.get(quote) == Some(&b'\'') { at + quote + 1 } else { at }
        }
        _ => at,
    }
}

fn follows_word(bytes: &[u8], at: usize) -> bool {
    at > 0 && (bytes[at - 1].is_ascii_alphanumeric() || bytes[at - 1] == b'_')
}

fn raw_string(bytes: &[u8], at: usize) -> usize {
    let hashes = bytes[at + 1..].iter().take_while(|byte| **byte == b'#').count();
    if bytes.get(at + 1 + hashes) != Some(&b'"') {
        return at;
    }
    let close = [b"\"".as_slice(), &b"#".repeat(hashes)].concat();
    find(bytes, at + 2 + hashes, &close)
}

fn end_of_string(bytes: &[u8], mut at: usize, quote: u8) -> usize {
    while at < bytes.len() && bytes[at] != quote {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    (at + 1).min(bytes.len())
}

fn find(bytes: &[u8], from: usize, what: &[u8]) -> usize {
    let found = bytes[from..].windows(what.len()).position(|window| window == what);
    found.map_or(bytes.len(), |found| from + found + what.len())
}

/// Marks the lines of every item behind `#[cfg(test)]`.
fn test_lines(code: &str) -> Vec<bool> {
    let mut marks = vec![false; code.lines().count()];
    for (start, _) in code.match_indices("#[cfg(test)]") {
        let end = end_of_item(code, start);
        let first = code[..start].matches('\n').count();
        let last = code[..end].matches('\n').count().min(marks.len() - 1);
        marks[first..=last].fill(true);
    }
    marks
}

/// Where the item ends that starts here: at its closing brace, or at a semicolon before any brace.
pub fn end_of_item(code: &str, start: usize) -> usize {
    let (mut braces, mut others) = (0_i32, 0_i32);
    for (offset, letter) in code[start..].char_indices() {
        match letter {
            '{' => braces += 1,
            '}' => {
                braces -= 1;
                if braces == 0 {
                    return start + offset;
                }
            }
            '(' | '[' => others += 1,
            ')' | ']' => others -= 1,
            ';' if braces == 0 && others == 0 => return start + offset,
            _ => {}
        }
    }
    code.len()
}

#[test]
fn blanking_leaves_only_code() {
    let code = blank(
        "let a = \"{\\\"\"; // }\nlet b = r#\"\"}\"#; let c = '\\''; let d: &'a u8 = '}'; /* { */ b\"{\"",
    );
    assert!(!code.contains(['{', '}', '"']), "{code}");
    assert!(code.contains("let b") && code.contains("&'a u8"), "{code}");
}

#[test]
fn lines_of_tests_are_told_from_lines_that_ship() {
    let text = "a();\n#[cfg(test)]\nmod tests {\n    b();\n}\n#[cfg(test)]\nuse c;\nd();\n";
    let source = Source::rust("crates/x/src/y.rs".to_owned(), text.to_owned());
    let shipped: Vec<_> = source.shipped().collect();
    assert_eq!(shipped, [(1, "a();"), (8, "d();")]);
}
