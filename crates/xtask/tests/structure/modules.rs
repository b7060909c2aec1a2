//! No two modules of a crate depend on each other, directly or through others.
//!
//! A module depends on another when its code names something that the other defines. What a module only gives on
//! (`pub use`) and what its tests name does not count. A module and the modules within it are one thing seen from
//! outside: a submodule may use what its parent defines. The root of a crate is no such parent: what it defines
//! belongs to nobody, so modules that use it stand below it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::slice;

use crate::folders;
use crate::source::{Named, named};

/// A module by the names that lead to it from the root of its crate.
type Module = Vec<String>;

/// The modules of one crate, and what each names.
struct Crate(BTreeMap<Module, Named>);

impl Crate {
    fn read(src: &Path) -> Self {
        let mut modules = BTreeMap::new();
        read_folder(src, src, &mut modules);
        let tests: Vec<Module> = modules
            .iter()
            .flat_map(|(module, named): (&Module, &Named)| {
                named
                    .tests
                    .iter()
                    .map(|test| [module.as_slice(), slice::from_ref(test)].concat())
            })
            .collect();
        modules.retain(|module, _| !tests.iter().any(|test| module.starts_with(test)));
        Self(modules)
    }

    /// The module that defines what a path of this module means, if it is of this crate.
    fn definer(&self, module: &[String], path: &[String]) -> Option<Module> {
        let (mut base, mut rest) = match path.first()?.as_str() {
            "crate" => (Module::new(), &path[1..]),
            "self" => (module.to_vec(), &path[1..]),
            "super" => {
                let ups = path.iter().take_while(|name| *name == "super").count();
                (module[..module.len().checked_sub(ups)?].to_vec(), &path[ups..])
            }
            first if self.0.contains_key(&[module, &[first.to_owned()]].concat()) => (module.to_vec(), path),
            _ => return None,
        };
        while let Some((name, others)) = rest.split_first() {
            let inner = [base.as_slice(), slice::from_ref(name)].concat();
            if self.0.contains_key(&inner) {
                (base, rest) = (inner, others);
                continue;
            }
            let given_on = &self.0.get(&base)?.given_on;
            return match given_on.iter().find(|(given, _)| given == name) {
                // Given on from another crate: the module that does so defines the name here.
                Some((_, path)) if path[0] != *name || path.len() > 1 => {
                    self.definer(&base, path).or(Some(base))
                }
                _ => Some(base),
            };
        }
        Some(base)
    }

    /// Which module names what of which other.
    fn dependencies(&self) -> BTreeSet<(Module, Module)> {
        let of_module = |(module, named): (&Module, &Named)| {
            let used = named.paths.iter().filter_map(|path| self.definer(module, path));
            let used: BTreeSet<Module> = used.filter(|used| used != module).collect();
            used.into_iter()
                .map(|used| (module.clone(), used))
                .collect::<Vec<_>>()
        };
        self.0.iter().flat_map(of_module).collect()
    }

    /// The circles, each as `a -> b -> a`: between the modules of the crate, and between those within each module.
    fn circles(&self) -> Vec<String> {
        let dependencies = self.dependencies();
        let parents: BTreeSet<&[String]> = self
            .0
            .keys()
            .filter_map(|module| module.split_last().map(|(_, parent)| parent))
            .collect();
        let within = |parent: &&[String]| {
            let place = |module: &Module| {
                let inner = module.strip_prefix(*parent)?;
                // The root of the crate stands beside its modules, every other parent above them.
                let name = inner
                    .first()
                    .cloned()
                    .or_else(|| parent.is_empty().then(String::new))?;
                Some([*parent, &[name]].concat())
            };
            let edges = dependencies
                .iter()
                .filter_map(|(user, used)| Some((place(user)?, place(used)?)))
                .filter(|(user, used)| user != used);
            circle(&edges.collect())
        };
        parents
            .iter()
            .filter_map(within)
            .map(|circle| text(&circle))
            .collect()
    }
}

fn read_folder(src: &Path, folder: &Path, modules: &mut BTreeMap<Module, Named>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            read_folder(src, &path, modules);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let relative = path.strip_prefix(src).unwrap().with_extension("");
            let mut module: Module = relative
                .iter()
                .map(|name| name.to_str().unwrap().to_owned())
                .collect();
            if matches!(module.last().map(String::as_str), Some("mod" | "lib" | "main")) {
                module.pop();
            }
            modules.insert(module, named(&fs::read_to_string(&path).unwrap()));
        }
    }
}

/// A circle among dependencies, if there is one.
fn circle(edges: &BTreeSet<(Module, Module)>) -> Option<Vec<Module>> {
    let mut edges: Vec<&(Module, Module)> = edges.iter().collect();
    // Whatever uses nothing is in no circle.
    loop {
        let users: BTreeSet<&Module> = edges.iter().map(|(user, _)| user).collect();
        let before = edges.len();
        edges.retain(|(_, used)| users.contains(used));
        if edges.len() == before {
            break;
        }
    }
    // Whoever follows the rest comes back to where they have been.
    let mut way = vec![&edges.first()?.0];
    loop {
        let last = way[way.len() - 1];
        let next = &edges.iter().find(|(user, _)| user == last)?.1;
        if let Some(begun) = way.iter().position(|module| *module == next) {
            return Some(
                way[begun..]
                    .iter()
                    .chain([&next])
                    .map(|module| (*module).clone())
                    .collect(),
            );
        }
        way.push(next);
    }
}

fn text(circle: &[Module]) -> String {
    let names: Vec<String> = circle
        .iter()
        .map(|module| match module.join("::") {
            root if root.is_empty() => "the root of the crate".to_owned(),
            name => name,
        })
        .collect();
    names.join(" -> ")
}

#[test]
fn no_two_modules_depend_on_each_other() {
    let mut circles = Vec::new();
    let mut modules = 0;
    for folder in folders() {
        let read = Crate::read(&folder.join("src"));
        modules += read.0.len();
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        circles.extend(
            read.circles()
                .into_iter()
                .map(|circle| format!("{name}: {circle}")),
        );
    }
    assert!(modules > 300, "only {modules} modules were found");
    assert_eq!(circles, [""; 0]);
}

fn circles_of(files: &[(&str, &str)]) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    for (name, source) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, source).unwrap();
    }
    Crate::read(folder.path()).circles()
}

#[test]
fn a_planted_circle_is_found() {
    let lib = ("lib.rs", "mod a; mod b; mod c; pub use a::A;");
    let straight = [
        lib,
        ("a.rs", "use crate::b::B; pub struct A(B);"),
        ("b.rs", "pub struct B;"),
    ];
    assert_eq!(circles_of(&straight), [""; 0]);
    let direct = [
        lib,
        ("a.rs", "use crate::b::B;"),
        ("b.rs", "fn f() { super::a::g() }"),
    ];
    assert_eq!(circles_of(&direct), ["a -> b -> a"]);
    let through_the_root = [lib, ("a.rs", "use crate::b::B;"), ("b.rs", "use crate::A;")];
    assert_eq!(circles_of(&through_the_root), ["a -> b -> a"]);
    let of_three = [
        lib,
        ("a.rs", "use super::{b::{self, B}};"),
        ("b.rs", "use crate::c;"),
        ("c.rs", "use crate::A;"),
    ];
    assert_eq!(circles_of(&of_three), ["a -> b -> c -> a"]);
    let with_the_root = [
        ("lib.rs", "mod a; pub struct Root; fn f() { a::g() }"),
        ("a.rs", "use crate::Root;"),
    ];
    assert_eq!(
        circles_of(&with_the_root),
        ["the root of the crate -> a -> the root of the crate"]
    );
    let within = [
        ("lib.rs", "mod m;"),
        ("m/mod.rs", "mod x; mod y; pub struct M;"),
        ("m/x.rs", "use super::M; use super::y::Y;"),
        ("m/y.rs", "use crate::m::x::X;"),
    ];
    assert_eq!(circles_of(&within), ["m::x -> m::y -> m::x"]);
    let only_tests = [
        lib,
        ("a.rs", "use crate::b::B;"),
        ("b.rs", "#[cfg(test)] mod tests { use crate::a::A; }"),
    ];
    assert_eq!(circles_of(&only_tests), [""; 0]);
}
