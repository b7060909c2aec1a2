//! The modules of a crate do not depend on each other in a cycle.
//!
//! A module depends on another if its code names an item that the other defines. Re-exports (`pub use`) and tests do
//! not count. From outside, a module and its submodules count as one. A submodule may use the items of its parent.
//! The root of a crate is not such a parent: it counts as a module beside the others.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::slice;

use crate::folders;
use crate::source::{Named, named};

/// The path of a module from the root of its crate.
type Module = Vec<String>;

/// The modules of a crate, and the paths in each.
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

    /// The module that defines the item of a path, if it is in this crate.
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
            let reexports = &self.0.get(&base)?.reexports;
            return match reexports.iter().find(|(given, _)| given == name) {
                // A re-export from another crate counts as a definition.
                Some((_, path)) if path[0] != *name || path.len() > 1 => {
                    self.definer(&base, path).or(Some(base))
                }
                _ => Some(base),
            };
        }
        Some(base)
    }

    /// The dependencies, as pairs of a module and one that it uses.
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

    /// The cycles as `a -> b -> a`, between the modules of the crate and between the submodules of each module.
    fn cycles(&self) -> Vec<String> {
        let dependencies = self.dependencies();
        let parents: BTreeSet<&[String]> = self
            .0
            .keys()
            .filter_map(|module| module.split_last().map(|(_, parent)| parent))
            .collect();
        let within = |parent: &&[String]| {
            let place = |module: &Module| {
                let inner = module.strip_prefix(*parent)?;
                // The root of the crate counts as one of its modules; another parent does not.
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
            cycle(&edges.collect())
        };
        parents
            .iter()
            .filter_map(within)
            .map(|cycle| text(&cycle))
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

/// Finds a cycle.
fn cycle(edges: &BTreeSet<(Module, Module)>) -> Option<Vec<Module>> {
    let mut edges: Vec<&(Module, Module)> = edges.iter().collect();
    // A module that uses no other is in no cycle.
    loop {
        let users: BTreeSet<&Module> = edges.iter().map(|(user, _)| user).collect();
        let before = edges.len();
        edges.retain(|(_, used)| users.contains(used));
        if edges.len() == before {
            break;
        }
    }
    // Every remaining module uses another, so following them leads into a cycle.
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

fn text(cycle: &[Module]) -> String {
    let names: Vec<String> = cycle
        .iter()
        .map(|module| match module.join("::") {
            root if root.is_empty() => "the root of the crate".to_owned(),
            name => name,
        })
        .collect();
    names.join(" -> ")
}

#[test]
fn modules_have_no_cycles() {
    let mut cycles = Vec::new();
    let mut modules = 0;
    for folder in folders() {
        let read = Crate::read(&folder.join("src"));
        modules += read.0.len();
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        cycles.extend(read.cycles().into_iter().map(|cycle| format!("{name}: {cycle}")));
    }
    assert!(modules > 300, "only {modules} modules were found");
    assert_eq!(cycles, [""; 0]);
}

fn cycles_of(files: &[(&str, &str)]) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    for (name, source) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, source).unwrap();
    }
    Crate::read(folder.path()).cycles()
}

#[test]
fn cycles_are_found() {
    let lib = ("lib.rs", "mod a; mod b; mod c; pub use a::A;");
    let straight = [
        lib,
        ("a.rs", "use crate::b::B; pub struct A(B);"),
        ("b.rs", "pub struct B;"),
    ];
    assert_eq!(cycles_of(&straight), [""; 0]);
    let direct = [
        lib,
        ("a.rs", "use crate::b::B;"),
        ("b.rs", "fn f() { super::a::g() }"),
    ];
    assert_eq!(cycles_of(&direct), ["a -> b -> a"]);
    let through_the_root = [lib, ("a.rs", "use crate::b::B;"), ("b.rs", "use crate::A;")];
    assert_eq!(cycles_of(&through_the_root), ["a -> b -> a"]);
    let of_three = [
        lib,
        ("a.rs", "use super::{b::{self, B}};"),
        ("b.rs", "use crate::c;"),
        ("c.rs", "use crate::A;"),
    ];
    assert_eq!(cycles_of(&of_three), ["a -> b -> c -> a"]);
    let with_the_root = [
        ("lib.rs", "mod a; pub struct Root; fn f() { a::g() }"),
        ("a.rs", "use crate::Root;"),
    ];
    assert_eq!(
        cycles_of(&with_the_root),
        ["the root of the crate -> a -> the root of the crate"]
    );
    let within = [
        ("lib.rs", "mod m;"),
        ("m/mod.rs", "mod x; mod y; pub struct M;"),
        ("m/x.rs", "use super::M; use super::y::Y;"),
        ("m/y.rs", "use crate::m::x::X;"),
    ];
    assert_eq!(cycles_of(&within), ["m::x -> m::y -> m::x"]);
    let only_tests = [
        lib,
        ("a.rs", "use crate::b::B;"),
        ("b.rs", "#[cfg(test)] mod tests { use crate::a::A; }"),
    ];
    assert_eq!(cycles_of(&only_tests), [""; 0]);
}
