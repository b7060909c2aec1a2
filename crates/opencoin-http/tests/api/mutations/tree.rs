//! A message as a tree that can also hold invalid JSON: repeated fields, fields in any order, values that are not JSON.

use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use serde_json::Value;

#[derive(Clone)]
pub(crate) enum Tree {
    Object(Vec<(String, Tree)>),
    List(Vec<Tree>),
    Text(String),
    /// Any other text, written without change: a number, a word, or no JSON at all.
    Bare(String),
}

impl Tree {
    /// Parses a JSON text.
    pub(crate) fn parse(json: &[u8]) -> Option<Self> {
        serde_json::from_slice(json).ok().map(Self::from_value)
    }

    fn from_value(value: Value) -> Self {
        match value {
            Value::Object(fields) => Self::Object(
                fields
                    .into_iter()
                    .map(|(name, value)| (name, Self::from_value(value)))
                    .collect(),
            ),
            Value::Array(items) => Self::List(items.into_iter().map(Self::from_value).collect()),
            Value::String(text) => Self::Text(text),
            other => Self::Bare(other.to_string()),
        }
    }

    /// Writes the text. `gap` returns the white space between two tokens.
    pub(crate) fn write(&self, gap: &mut impl FnMut() -> &'static str) -> Vec<u8> {
        let mut json = String::new();
        self.write_to(&mut json, gap);
        json.into_bytes()
    }

    fn write_to(&self, json: &mut String, gap: &mut impl FnMut() -> &'static str) {
        json.push_str(gap());
        match self {
            Self::Object(fields) => {
                json.push('{');
                for (index, (name, value)) in fields.iter().enumerate() {
                    json.push_str(if index > 0 { "," } else { "" });
                    json.push_str(gap());
                    json.push_str(&quoted(name));
                    json.push_str(gap());
                    json.push(':');
                    value.write_to(json, gap);
                }
                json.push('}');
            }
            Self::List(items) => {
                json.push('[');
                for (index, item) in items.iter().enumerate() {
                    json.push_str(if index > 0 { "," } else { "" });
                    item.write_to(json, gap);
                }
                json.push(']');
            }
            Self::Text(text) => json.push_str(&quoted(text)),
            Self::Bare(bare) => json.push_str(bare),
        }
        json.push_str(gap());
    }

    /// A random value that is wanted, of this one and all inside it.
    pub(crate) fn any(&mut self, wanted: impl Fn(&Self) -> bool, rng: &mut StdRng) -> Option<&mut Self> {
        let count = self.count(&wanted);
        if count == 0 {
            return None;
        }
        let mut index = rng.gen_range(0..count);
        self.nth(&wanted, &mut index)
    }

    /// The fields of a random object that has fields.
    pub(crate) fn any_fields(&mut self, rng: &mut StdRng) -> Option<&mut Vec<(String, Self)>> {
        match self.any(
            |tree| matches!(tree, Self::Object(fields) if !fields.is_empty()),
            rng,
        ) {
            Some(Self::Object(fields)) => Some(fields),
            _ => None,
        }
    }

    /// The items of a random list that has items.
    pub(crate) fn any_items(&mut self, rng: &mut StdRng) -> Option<&mut Vec<Self>> {
        match self.any(|tree| matches!(tree, Self::List(items) if !items.is_empty()), rng) {
            Some(Self::List(items)) => Some(items),
            _ => None,
        }
    }

    /// The value of a random field with this name.
    pub(crate) fn any_of_name(&self, name: &str, rng: &mut StdRng) -> Option<Self> {
        let mut found = Vec::new();
        self.collect(name, &mut found);
        found.choose(rng).map(|tree| (*tree).clone())
    }

    fn collect<'tree>(&'tree self, name: &str, found: &mut Vec<&'tree Self>) {
        match self {
            Self::Object(fields) => {
                for (field, value) in fields {
                    if field == name {
                        found.push(value);
                    }
                    value.collect(name, found);
                }
            }
            Self::List(items) => items.iter().for_each(|item| item.collect(name, found)),
            Self::Text(_) | Self::Bare(_) => {}
        }
    }

    fn count(&self, wanted: &impl Fn(&Self) -> bool) -> usize {
        let inside: usize = match self {
            Self::Object(fields) => fields.iter().map(|(_, value)| value.count(wanted)).sum(),
            Self::List(items) => items.iter().map(|item| item.count(wanted)).sum(),
            Self::Text(_) | Self::Bare(_) => 0,
        };
        inside + usize::from(wanted(self))
    }

    fn nth(&mut self, wanted: &impl Fn(&Self) -> bool, index: &mut usize) -> Option<&mut Self> {
        if wanted(self) {
            if *index == 0 {
                return Some(self);
            }
            *index -= 1;
        }
        match self {
            Self::Object(fields) => fields.iter_mut().find_map(|(_, value)| value.nth(wanted, index)),
            Self::List(items) => items.iter_mut().find_map(|item| item.nth(wanted, index)),
            Self::Text(_) | Self::Bare(_) => None,
        }
    }
}

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}
