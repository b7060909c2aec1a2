//! Splits Rust source into words, to find the paths in it.

/// The words of a source: identifiers, `::` and single characters, without comments, strings and character literals.
pub(crate) fn words(source: &str) -> Vec<String> {
    let text: Vec<char> = source.chars().collect();
    let (mut words, mut at) = (Vec::new(), 0);
    while at < text.len() {
        let next = text.get(at + 1).copied();
        match text[at] {
            '/' if next == Some('/') => at = find(&text, at, "\n"),
            '/' if next == Some('*') => at = find(&text, at + 2, "*/") + 2,
            'r' if is_raw_string(&text, at) => {
                let hashes = text[at + 1..]
                    .iter()
                    .take_while(|&&character| character == '#')
                    .count();
                let end = format!("\"{}", "#".repeat(hashes));
                at = find(&text, at + hashes + 2, &end) + end.len();
            }
            '"' => at = end_of_quoted(&text, at, '"'),
            '\'' if next == Some('\\') || text.get(at + 2) == Some(&'\'') => {
                at = end_of_quoted(&text, at, '\'')
            }
            character if character.is_alphabetic() || character == '_' => {
                let is_part = |character: &&char| character.is_alphanumeric() || **character == '_';
                let word: String = text[at..].iter().take_while(is_part).collect();
                at += word.chars().count();
                words.push(word);
            }
            ':' if next == Some(':') => {
                words.push("::".to_owned());
                at += 2;
            }
            character => {
                if !character.is_whitespace() {
                    words.push(character.to_string());
                }
                at += 1;
            }
        }
    }
    words
}

fn is_raw_string(text: &[char], at: usize) -> bool {
    let is_word = at > 0 && (text[at - 1].is_alphanumeric() && text[at - 1] != 'b' || text[at - 1] == '_');
    let rest = text[at + 1..].iter().find(|&&character| character != '#');
    !is_word && rest == Some(&'"')
}

fn find(text: &[char], from: usize, end: &str) -> usize {
    let end: Vec<char> = end.chars().collect();
    (from..text.len())
        .find(|&at| text[at..].starts_with(&end))
        .unwrap_or(text.len())
}

fn end_of_quoted(text: &[char], from: usize, quote: char) -> usize {
    let mut at = from + 1;
    while at < text.len() && text[at] != quote {
        at += if text[at] == '\\' { 2 } else { 1 };
    }
    at + 1
}

/// The references of a source to modules.
#[derive(Debug, Default)]
pub(crate) struct Named {
    /// The segments of each path in the code.
    pub(crate) paths: Vec<Vec<String>>,
    /// Names of re-exports, each with its path.
    pub(crate) reexports: Vec<(String, Vec<String>)>,
    /// Submodules for tests only.
    pub(crate) tests: Vec<String>,
}

/// Finds the paths in a source, without its tests.
pub(crate) fn named(source: &str) -> Named {
    let words = words(source);
    let (mut named, mut at) = (Named::default(), 0);
    while at < words.len() {
        if starts(&words, at, "# [ cfg ( test ) ]") || starts(&words, at, "# [ cfg ( all ( test") {
            at = skip_test_item(&words, at, &mut named);
        } else if words[at] == "use" {
            let end = (at..words.len())
                .find(|&at| words[at] == ";")
                .unwrap_or(words.len());
            let is_reexport =
                at > 0 && (words[at - 1] == "pub" || words[at - 1] == ")" && is_pub_in(&words, at));
            for (path, name) in tree(&words[at + 1..end]) {
                if is_reexport {
                    named.reexports.push((name, path));
                } else {
                    named.paths.push(path);
                }
            }
            at = end;
        } else if is_name(&words[at]) && words.get(at + 1).is_some_and(|word| word == "::") {
            let mut path = vec![words[at].clone()];
            while words.get(at + 1).is_some_and(|word| word == "::")
                && words.get(at + 2).is_some_and(|word| is_name(word))
            {
                path.push(words[at + 2].clone());
                at += 2;
            }
            named.paths.push(path);
            at += 1;
        } else {
            at += 1;
        }
    }
    named
}

fn is_name(word: &str) -> bool {
    word.starts_with(|character: char| character.is_alphabetic() || character == '_')
}

fn starts(words: &[String], at: usize, beginning: &str) -> bool {
    let beginning: Vec<&str> = beginning.split(' ').collect();
    words[at..].len() >= beginning.len()
        && words[at..]
            .iter()
            .zip(&beginning)
            .all(|(word, other)| word == other)
}

/// Whether the `)` before this word ends `pub(...)`.
fn is_pub_in(words: &[String], at: usize) -> bool {
    let open = (0..at - 1).rev().find(|&at| words[at] == "(");
    open.is_some_and(|open| open > 0 && words[open - 1] == "pub")
}

/// Skips an item for tests only.
fn skip_test_item(words: &[String], from: usize, named: &mut Named) -> usize {
    let end = (from..words.len())
        .skip_while(|&at| words[at] != "]")
        .skip(1)
        .find(|&at| words[at] == ";" || words[at] == "{");
    let Some(end) = end else { return words.len() };
    if words[end] == ";" {
        if words[end - 2] == "mod" {
            named.tests.push(words[end - 1].clone());
        }
        return end + 1;
    }
    let mut depth = 0;
    for (at, word) in words.iter().enumerate().skip(end) {
        match word.as_str() {
            "{" => depth += 1,
            "}" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at + 1;
        }
    }
    words.len()
}

/// The paths of a `use`, each with the imported name.
fn tree(words: &[String]) -> Vec<(Vec<String>, String)> {
    let Some(open) = words.iter().position(|word| word == "{") else {
        let (path, name) = match words.iter().position(|word| word == "as") {
            Some(at) => (&words[..at], words.last().cloned()),
            None => (words, None),
        };
        let path: Vec<String> = path.iter().filter(|word| *word != "::").cloned().collect();
        let name = name.or_else(|| path.last().cloned()).unwrap_or_default();
        return vec![(path, name)];
    };
    let beginning: Vec<String> = words[..open]
        .iter()
        .filter(|word| *word != "::")
        .cloned()
        .collect();
    let (mut branches, mut depth, mut branch) = (Vec::new(), 0, Vec::new());
    for word in &words[open + 1..words.len() - 1] {
        match word.as_str() {
            "," if depth == 0 => branches.push(std::mem::take(&mut branch)),
            other => {
                depth += i32::from(other == "{") - i32::from(other == "}");
                branch.push(word.clone());
            }
        }
    }
    branches.push(branch);
    let paths = branches
        .iter()
        .filter(|branch| !branch.is_empty())
        .flat_map(|branch| tree(branch));
    paths
        .map(|(path, name)| match path.as_slice() {
            [own] if own == "self" => (beginning.clone(), beginning.last().cloned().unwrap_or_default()),
            _ => ([beginning.as_slice(), path.as_slice()].concat(), name),
        })
        .collect()
}

#[test]
fn paths_are_found_in_code_and_not_in_tests_comments_and_strings() {
    let source = r##"
        //! use crate::comment::Nothing;
        use crate::{a::{self, A}, b::B as C};
        pub(crate) use super::given::On;
        pub use leaf::Leaf;
        const TEXT: &str = r#"crate::raw::Nothing"#;
        fn f<'a>(x: &'a str) -> char { crate::called::g::<'\''>("crate::text::Nothing"); '"' }
        #[cfg(test)]
        mod far_tests;
        #[cfg(test)]
        mod tests { use crate::tests_only::T; }
        fn last() { super::end::h() }
    "##;
    let named = named(source);
    let paths: Vec<String> = named.paths.iter().map(|path| path.join("::")).collect();
    assert_eq!(
        paths,
        [
            "crate::a",
            "crate::a::A",
            "crate::b::B",
            "crate::called::g",
            "super::end::h"
        ]
    );
    let reexports: Vec<String> = named
        .reexports
        .iter()
        .map(|(name, path)| format!("{name}={}", path.join("::")))
        .collect();
    assert_eq!(reexports, ["On=super::given::On", "Leaf=leaf::Leaf"]);
    assert_eq!(named.tests, ["far_tests"]);
}
