//! One rule of the books, and whether it holds.

/// How many offending items a failed check names.
const OFFENDERS_NAMED_MAX: usize = 5;

/// An invariant, and whether it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// The invariant in words. It identifies the check.
    pub name: &'static str,
    /// Whether the invariant holds.
    pub holds: bool,
    /// The figures, or the items that break the invariant.
    pub detail: String,
}

/// A check that no item breaks, each of which `offence` describes.
pub(crate) fn for_all<T>(name: &'static str, items: &[T], offence: impl Fn(&T) -> Option<String>) -> Check {
    let offences: Vec<String> = items.iter().filter_map(offence).collect();
    if offences.is_empty() {
        let detail = format!("{} checked", items.len());
        return Check {
            name,
            holds: true,
            detail: if items.is_empty() {
                "none".to_owned()
            } else {
                detail
            },
        };
    }
    let mut detail = offences
        .iter()
        .take(OFFENDERS_NAMED_MAX)
        .cloned()
        .collect::<Vec<_>>()
        .join("; ");
    if offences.len() > OFFENDERS_NAMED_MAX {
        detail.push_str(&format!("; and {} more", offences.len() - OFFENDERS_NAMED_MAX));
    }
    Check {
        name,
        holds: false,
        detail,
    }
}
