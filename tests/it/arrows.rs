//! The house: which room may import which, as the table in docs/architecture.md says, and no circle of files.
//!
//! Given the sources, every `use` and every path that begins with `crate`, `self`, `super` or a child module is resolved to
//! the file that defines it, through `pub use` where a module passes a name on. Code that is compiled for tests only does not
//! count.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use syn::visit::{self, Visit};
use syn::{Attribute, Item, UseTree, Visibility};

/// The path of a module below the crate's root.
type Module = Vec<String>;

/// What one file says of itself.
#[derive(Default)]
struct Source {
    /// Every path, relative to this module: the first segment is `crate`, `self`, `super` or a child's name.
    paths: Vec<Vec<String>>,
    /// What the module passes on: by name, the path that it stands for.
    passed_on: BTreeMap<String, Vec<String>>,
    /// The modules that are declared for tests only.
    tests: Vec<String>,
}

impl<'ast> Visit<'ast> for Source {
    fn visit_item(&mut self, item: &'ast Item) {
        match item {
            Item::Mod(module) if is_for_tests(&module.attrs) => self.tests.push(module.ident.to_string()),
            Item::Use(import) => {
                let mut paths = Vec::new();
                flatten(&import.tree, &mut Vec::new(), &mut paths);
                let is_passed_on = !matches!(import.vis, Visibility::Inherited);
                for (path, name) in paths {
                    if is_passed_on {
                        self.passed_on.insert(name, path);
                    } else {
                        self.paths.push(path);
                    }
                }
            }
            Item::Fn(function) if is_for_tests(&function.attrs) => {}
            Item::Impl(block) if is_for_tests(&block.attrs) => {}
            other => visit::visit_item(self, other),
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        self.paths.push(path.segments.iter().map(|segment| segment.ident.to_string()).collect());
        visit::visit_path(self, path);
    }
}

fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| match attribute.meta.require_list() {
        Ok(list) => list.path.is_ident("cfg") && list.tokens.to_string() == "test",
        Err(_) => false,
    })
}

/// The paths of one `use`, each with the name under which it is known.
fn flatten(tree: &UseTree, before: &mut Vec<String>, found: &mut Vec<(Vec<String>, String)>) {
    let with = |name: &str| before.iter().cloned().chain([name.to_owned()]).collect::<Vec<_>>();
    match tree {
        UseTree::Path(path) => {
            before.push(path.ident.to_string());
            flatten(&path.tree, before, found);
            before.pop();
        }
        UseTree::Group(group) => group.items.iter().for_each(|item| flatten(item, before, found)),
        UseTree::Name(name) if name.ident == "self" => {
            found.push((before.clone(), before.last().cloned().unwrap_or_default()));
        }
        UseTree::Name(name) => found.push((with(&name.ident.to_string()), name.ident.to_string())),
        UseTree::Rename(name) => found.push((with(&name.ident.to_string()), name.rename.to_string())),
        UseTree::Glob(_) => found.push((before.clone(), "*".to_owned())),
    }
}

/// All modules of the crate but those for tests.
struct House(BTreeMap<Module, Source>);

impl House {
    /// The crate, which is read once for all tests here.
    fn shared() -> &'static Self {
        static HOUSE: LazyLock<House> = LazyLock::new(House::read);
        &HOUSE
    }

    fn read() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let mut modules = BTreeMap::new();
        for file in rust_files(&root) {
            let text = fs::read_to_string(&file).unwrap();
            let mut source = Source::default();
            source.visit_file(&syn::parse_file(&text).unwrap());
            modules.insert(module_of(file.strip_prefix(&root).unwrap()), source);
        }
        let tests: Vec<Module> = modules
            .iter()
            .flat_map(|(module, source)| {
                source.tests.iter().map(|child| [module.clone(), vec![child.clone()]].concat())
            })
            .collect();
        modules.retain(|module, _| !tests.iter().any(|test| module.starts_with(test)));
        Self(modules)
    }

    /// The module that a path leads to from another one; `None`: it leads out of the crate, or stays where it is.
    fn resolve(&self, from: &[String], path: &[String]) -> Option<Module> {
        // `pub(crate)` and `pub(super)` name no import.
        let (mut at, mut rest) = match path.first().filter(|_| path.len() > 1)?.as_str() {
            "crate" | "kratos_operator" => (Module::new(), &path[1..]),
            "self" => (from.to_vec(), &path[1..]),
            "super" => (from.to_vec(), path),
            child if self.0.contains_key(&[from, &[child.to_owned()]].concat()) => (from.to_vec(), path),
            _ => return None,
        };
        while let Some((name, after)) = rest.split_first() {
            if name == "super" {
                at.pop();
            } else if self.0.contains_key(&[at.as_slice(), std::slice::from_ref(name)].concat()) {
                at.push(name.clone());
            } else if let Some(passed) = self.0.get(&at).and_then(|source| source.passed_on.get(name)) {
                return self.resolve(&at, passed);
            } else {
                break;
            }
            rest = after;
        }
        (at != from).then_some(at)
    }

    /// For each file, the files that it imports.
    fn arrows(&self) -> BTreeMap<&Module, BTreeSet<Module>> {
        let imports = |module: &Module, source: &Source| {
            source.paths.iter().filter_map(|path| self.resolve(module, path)).collect::<BTreeSet<_>>()
        };
        self.0.iter().map(|(module, source)| (module, imports(module, source))).collect()
    }
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

fn module_of(file: &Path) -> Module {
    let path = file.with_extension("");
    let mut module: Module = path.iter().map(|part| part.to_str().unwrap().to_owned()).collect();
    if module.last().is_some_and(|last| ["mod", "lib"].contains(&last.as_str())) {
        module.pop();
    }
    module
}

/// The table of docs/architecture.md: for each room the rooms that it may import.
fn table() -> BTreeMap<String, BTreeSet<String>> {
    let text =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/architecture.md")).unwrap();
    let names = |cell: &str| -> BTreeSet<String> {
        cell.split('`')
            .skip(1)
            .step_by(2)
            .map(|name| name.trim_start_matches("src/").trim_end_matches(['/']).replace(".rs", ""))
            .collect()
    };
    let rows = text.lines().filter(|line| line.starts_with("| `src/"));
    rows.map(|row| {
        let cells: Vec<&str> = row.trim_matches('|').split('|').collect();
        (names(cells[0]).into_iter().next().unwrap(), names(cells[cells.len() - 1]))
    })
    .collect()
}

#[test]
fn each_room_imports_only_rooms_that_the_table_allows() {
    let (house, table) = (House::shared(), table());
    let mut rooms = BTreeSet::new();
    for (module, imports) in house.arrows() {
        let Some(room) = module.first() else { continue };
        rooms.insert(room.clone());
        let allowed =
            table.get(room).unwrap_or_else(|| panic!("docs/architecture.md has no row for src/{room}"));
        for import in imports {
            let Some(other) = import.first() else { panic!("{module:?} imports the crate's root") };
            assert!(
                other == room || allowed.contains(other),
                "src/{} imports {}, and docs/architecture.md does not let {room} know {other}",
                module.join("/"),
                import.join("::")
            );
        }
    }
    let named: BTreeSet<String> = table.into_keys().collect();
    assert_eq!(named, rooms, "the rooms of docs/architecture.md and those of src differ");
}

#[test]
fn the_table_has_no_circle_and_names_only_what_is_used() {
    let (house, table) = (House::shared(), table());
    for room in table.keys() {
        assert!(!reaches(&table, room, room), "docs/architecture.md lets {room} know itself through others");
    }
    let mut used: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (module, imports) in house.arrows() {
        let Some(room) = module.first() else { continue };
        let others =
            imports.into_iter().filter_map(|import| import.into_iter().next()).filter(|other| other != room);
        used.entry(room.clone()).or_default().extend(others);
    }
    assert_eq!(used, table, "left: what the rooms import; right: what docs/architecture.md allows");
}

fn reaches(arrows: &BTreeMap<String, BTreeSet<String>>, from: &str, to: &str) -> bool {
    let next = arrows.get(from).into_iter().flatten();
    next.into_iter().any(|next| next == to || reaches(arrows, next, to))
}

#[test]
fn no_files_import_each_other_in_a_circle() {
    let house = House::shared();
    let arrows = house.arrows();
    assert!(arrows.values().map(BTreeSet::len).sum::<usize>() > 600, "the imports were not found");
    // What imports nothing that is left, or is imported by nothing that is left, is in no circle.
    let mut left: BTreeMap<&Module, BTreeSet<Module>> = arrows;
    loop {
        let imported: BTreeSet<Module> = left.values().flatten().cloned().collect();
        let before = left.len();
        let names: BTreeSet<Module> = left.keys().map(|module| (*module).clone()).collect();
        left.retain(|module, imports| imported.contains(*module) && !imports.is_disjoint(&names));
        if left.len() == before {
            break;
        }
    }
    let shown: Vec<String> = left
        .iter()
        .map(|(module, imports)| {
            let others =
                imports.iter().filter(|import| left.contains_key(import)).map(|import| import.join("/"));
            format!("{} -> {}", module.join("/"), others.collect::<Vec<_>>().join(", "))
        })
        .collect();
    assert!(shown.is_empty(), "these files import each other in a circle:\n{}", shown.join("\n"));
}
