//! The style sheet, the scripts and the icon, as they were when the crate was compiled. Their paths have a part of their
//! hash, so browsers keep them for ever.

/// The folder of all paths.
const FOLDER: &str = "/static/";

include!(concat!(env!("OUT_DIR"), "/files.rs"));

/// A static file.
pub(crate) struct StaticFile {
    pub(crate) name: &'static str,
    path: &'static str,
    pub(crate) content: &'static [u8],
}

/// The path of the file with this name.
///
/// # Panics
/// There is no such file. A test renders every page.
pub(crate) fn path(name: &str) -> &'static str {
    let file = FILES.iter().find(|file| file.name == name);
    file.map(|file| file.path).expect("pages name files of `static`")
}

/// The file with this last segment of its path, and whether it is of this version. During an upgrade a page of one process
/// may ask another one for a file of its own version.
pub(crate) fn find(asked: &str) -> Option<(&'static StaticFile, bool)> {
    let is_asked = |file: &&StaticFile| file.path.strip_prefix(FOLDER) == Some(asked);
    if let Some(file) = FILES.iter().find(is_asked) {
        return Some((file, true));
    }
    let other_version = FILES.iter().find(|file| is_version(asked, file.name));
    other_version.map(|file| (file, false))
}

/// Whether `file` is `name` with a hash in it.
fn is_version(file: &str, name: &str) -> bool {
    let parts = name.rsplit_once('.').zip(file.rsplit_once('.'));
    let Some(((stem, ending), (versioned, same))) = parts else {
        return false;
    };
    let hash = versioned
        .strip_prefix(stem)
        .and_then(|rest| rest.strip_prefix('-'));
    ending == same && hash.is_some_and(|hash| hash.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_another_version_is_recognised() {
        assert!(is_version("pages-0123456789abcdef.css", "pages.css"));
        for other in [
            "pages.css",
            "pages-01.js",
            "pages-xyz.css",
            "page-01.css",
            "pages-0/1.css",
        ] {
            assert!(!is_version(other, "pages.css"), "{other}");
        }
    }
}
