//! Makes Rust of the message files and of the static files.
//!
//! `locales/LANGUAGE/GROUP.json` has the messages of a group of pages: an object of texts. `{name}` in a text is a
//! placeholder. A text that depends on a number is an object with the forms `one` and `other`, and its number is
//! `{count}`. A moment is one of `{time}`, `{day}`, `{date}`, `{due}`, `{from}`, `{until}`, `{begins}`. The message `paid`
//! of the group `account` becomes the method `Messages::account_paid`, with an argument for each placeholder. The build
//! fails if languages differ in their messages or placeholders.
//!
//! A static file is served under a name with a part of its hash, so that browsers may keep it for ever.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

use serde::Deserialize;
use serde::de::{Error as _, MapAccess, Visitor};
use sha2::{Digest, Sha256};

/// The folder and the variant of each language. The first one says which messages and placeholders there are.
const LANGUAGES: [(&str, &str); 2] = [("en", "En"), ("de", "De")];
/// The number on which the form of a text depends.
const COUNT: &str = "count";
/// The placeholders of moments, which a script shows in the zone of the visitor.
const MOMENTS: [&str; 7] = ["time", "day", "date", "due", "from", "until", "begins"];
/// How many hex digits of its hash the name of a static file has.
const HASH_DIGITS: usize = 16;

/// The messages of one language by their full names.
type Messages = BTreeMap<String, Forms>;

/// The texts of a message.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Forms {
    Only(String),
    Counted(Counted),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Counted {
    one: String,
    other: String,
}

/// An object whose keys must not repeat.
struct Group(Vec<(String, Forms)>);

/// A piece of a text.
#[derive(Debug, PartialEq, Eq)]
enum Part<'text> {
    Text(String),
    Placeholder(&'text str),
}

fn main() -> Result<(), String> {
    for folder in ["locales", "static", "templates"] {
        println!("cargo::rerun-if-changed={folder}");
    }
    let target = PathBuf::from(env::var_os("OUT_DIR").ok_or("OUT_DIR is not set")?);
    write(&target.join("messages.rs"), &messages()?)?;
    write(&target.join("files.rs"), &static_files()?)
}

fn messages() -> Result<String, String> {
    let mut languages = Vec::new();
    for (folder, _) in LANGUAGES {
        languages.push(read_language(folder)?);
    }
    let names = |messages: &Messages| messages.keys().cloned().collect::<Vec<_>>();
    let first = &languages[0];
    for (messages, (folder, _)) in languages.iter().zip(LANGUAGES) {
        if let Some(name) = names(first).iter().find(|name| !messages.contains_key(*name)) {
            return Err(format!("locales/{folder} lacks {name}"));
        }
        if let Some(name) = names(messages).iter().find(|name| !first.contains_key(*name)) {
            return Err(format!("locales/{folder} has {name}, which the others lack"));
        }
    }
    let mut source = "impl Messages {\n".to_owned();
    for name in first.keys() {
        let forms: Vec<&Forms> = languages.iter().map(|messages| &messages[name]).collect();
        source += &method(name, &forms).map_err(|error| format!("{name}: {error}"))?;
    }
    source += "}\n";
    Ok(source)
}

fn read_language(folder: &str) -> Result<Messages, String> {
    let mut messages = Messages::new();
    for file in files(&Path::new("locales").join(folder))? {
        let group = file
            .file_stem()
            .and_then(|stem| stem.to_str())
            .unwrap_or_default();
        let wrong = |error: String| format!("{}: {error}", file.display());
        let text = fs::read_to_string(&file).map_err(|error| wrong(error.to_string()))?;
        let parsed: Group = serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?;
        for (key, forms) in parsed.0 {
            let name = format!("{group}_{key}");
            let is_name = |text: &str| {
                !text.is_empty()
                    && text
                        .bytes()
                        .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
            };
            if !is_name(&name) {
                return Err(wrong(format!("{key:?} is not of a-z, 0-9 and _")));
            }
            messages.insert(name, forms);
        }
    }
    Ok(messages)
}

/// The method of one message, which has these forms in the languages.
fn method(name: &str, forms: &[&Forms]) -> Result<String, String> {
    let is_counted = matches!(forms[0], Forms::Counted(_));
    let mut placeholders: Vec<&str> = Vec::new();
    if is_counted {
        placeholders.push(COUNT);
    }
    let mut arms = String::new();
    for (forms, (folder, variant)) in forms.iter().zip(LANGUAGES) {
        let texts: Vec<(&str, &str)> = match forms {
            Forms::Only(text) if !is_counted => vec![("_", text)],
            Forms::Counted(Counted { one, other }) if is_counted => vec![("true", one), ("false", other)],
            Forms::Only(_) | Forms::Counted(_) => {
                return Err("one language has the forms `one` and `other`, another has not".to_owned());
            }
        };
        let mut found: Vec<&str> = Vec::new();
        for (pattern, text) in texts {
            let parts = parts(text)?;
            let named = parts.iter().filter_map(|part| match part {
                Part::Placeholder(name) => Some(*name),
                Part::Text(_) => None,
            });
            found.extend(named);
            if folder == LANGUAGES[0].0 {
                for name in &found {
                    if !placeholders.contains(name) {
                        placeholders.push(name);
                    }
                }
            }
            let body = if placeholders.is_empty() {
                format!("{text:?}")
            } else {
                format!("&[{}]", parts_source(&parts, &placeholders)?)
            };
            let _ = writeln!(arms, "            (Language::{variant}, {pattern}) => {body},");
        }
        // The number may be said by the form alone: "one account".
        let is_missing = |name: &&&str| **name != COUNT && !found.contains(*name);
        if let Some(missing) = placeholders.iter().find(is_missing) {
            return Err(format!("the placeholder {{{missing}}} is missing in {folder}"));
        }
    }
    Ok(method_source(name, &placeholders, is_counted, &arms))
}

fn method_source(name: &str, placeholders: &[&str], is_counted: bool, arms: &str) -> String {
    if placeholders.is_empty() {
        return format!(
            "    pub(crate) fn {name}(self) -> &'static str {{\n        match (self.language, ()) {{\n{arms}        }}\n    }}\n"
        );
    }
    let argument = |name: &&str| {
        if is_counted && *name == COUNT {
            format!(", {name}: u64")
        } else if MOMENTS.contains(name) {
            format!(", {name}: impl std::borrow::Borrow<Moment>")
        } else {
            format!(", {name}: impl std::fmt::Display")
        }
    };
    let value = |name: &&str| {
        if is_counted && *name == COUNT {
            format!("Value::Text(self.language.number({name}))")
        } else if MOMENTS.contains(name) {
            format!("Value::Moment(*{name}.borrow())")
        } else {
            format!("Value::Text({name}.to_string())")
        }
    };
    let arguments: String = placeholders.iter().map(argument).collect();
    let values: Vec<String> = placeholders.iter().map(value).collect();
    let selector = if is_counted { "count == 1" } else { "()" };
    format!(
        "    pub(crate) fn {name}(self{arguments}) -> Message {{\n        let parts: &'static [Part] = match (self.language, {selector}) {{\n{arms}        }};\n        \
         Message::new(parts, vec![{}])\n    }}\n",
        values.join(", ")
    )
}

fn parts_source(parts: &[Part<'_>], placeholders: &[&str]) -> Result<String, String> {
    let mut source = Vec::new();
    for part in parts {
        source.push(match part {
            Part::Text(text) => format!("Part::Text({text:?})"),
            Part::Placeholder(name) => {
                let place = placeholders.iter().position(|known| known == name);
                let place = place.ok_or_else(|| format!("{{{name}}} is not in every language"))?;
                format!("Part::Value({place})")
            }
        });
    }
    Ok(source.join(", "))
}

/// Splits a text at its placeholders.
fn parts(text: &str) -> Result<Vec<Part<'_>>, String> {
    if text.trim().is_empty() {
        return Err("the text is empty".to_owned());
    }
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}').ok_or("a placeholder has no end")?;
        if !before.is_empty() {
            parts.push(Part::Text(before.to_owned()));
        }
        parts.push(Part::Placeholder(name));
        rest = after;
    }
    if rest.contains('}') {
        return Err("a placeholder has no beginning".to_owned());
    }
    if !rest.is_empty() {
        parts.push(Part::Text(rest.to_owned()));
    }
    Ok(parts)
}

fn static_files() -> Result<String, String> {
    let mut source = "static FILES: &[StaticFile] = &[\n".to_owned();
    for file in files(Path::new("static"))? {
        let full = fs::canonicalize(&file).map_err(|error| format!("{}: {error}", file.display()))?;
        let content = fs::read(&full).map_err(|error| format!("{}: {error}", file.display()))?;
        let name = file
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        let (stem, ending) = name
            .rsplit_once('.')
            .ok_or_else(|| format!("{name} has no ending"))?;
        let hash = &const_hex::encode(Sha256::digest(&content))[..HASH_DIGITS];
        let _ = writeln!(
            source,
            "    StaticFile {{ name: {name:?}, path: \"/static/{stem}-{hash}.{ending}\", content: include_bytes!({full:?}) }},"
        );
    }
    source += "];\n";
    Ok(source)
}

fn files(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let wrong = |error: std::io::Error| format!("{}: {error}", folder.display());
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(wrong)? {
        files.push(entry.map_err(wrong)?.path());
    }
    files.sort();
    Ok(files)
}

fn write(path: &Path, source: &str) -> Result<(), String> {
    fs::write(path, source).map_err(|error| format!("{}: {error}", path.display()))
}

impl<'de> Deserialize<'de> for Group {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Keys;
        impl<'de> Visitor<'de> for Keys {
            type Value = Group;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("an object of messages")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Group, A::Error> {
                let mut group: Vec<(String, Forms)> = Vec::new();
                while let Some((key, forms)) = map.next_entry::<String, Forms>()? {
                    if group.iter().any(|(known, _)| *known == key) {
                        return Err(A::Error::custom(format!("{key} is there twice")));
                    }
                    group.push((key, forms));
                }
                Ok(Group(group))
            }
        }
        deserializer.deserialize_map(Keys)
    }
}
