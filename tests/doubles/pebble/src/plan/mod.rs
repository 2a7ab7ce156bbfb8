//! The plan: an ordered list of layers in memory and the sections that their combination gives.
//!
//! It is given layers (label and YAML) and keeps them only if the whole still holds; nothing of it outlives the daemon,
//! except the files in the folder of layers that it starts from.

mod model;
mod node;
pub mod order;
mod parse;
mod render;
mod validate;

use std::{collections::BTreeMap, path::Path};

use model::Layered;
pub use model::{Check, Context, Sections, Service};

use super::respond::{Failure, bad, internal};

struct Layer {
    label: String,
    sections: Sections,
}

/// The layers and their combination.
#[derive(Default)]
pub struct Plan {
    layers: Vec<Layer>,
    sections: Sections,
}

fn combine_objects<T: Layered>(
    kind: &str,
    label: &str,
    to: &mut BTreeMap<String, T>,
    from: &BTreeMap<String, T>,
) -> Result<(), String> {
    for (name, object) in from {
        match object.override_() {
            "replace" => {
                to.insert(name.clone(), object.clone());
            }
            "merge" => match to.get_mut(name) {
                Some(old) => old.merge(object),
                None => {
                    to.insert(name.clone(), object.clone());
                }
            },
            "" => return Err(format!("layer {label:?} must define \"override\" for {kind} {name:?}")),
            _ => return Err(format!("layer {label:?} has invalid \"override\" value for {kind} {name:?}")),
        }
    }
    Ok(())
}

fn combine<'a>(layers: impl Iterator<Item = (&'a str, &'a Sections)>) -> Result<Sections, String> {
    let mut all = Sections::default();
    for (label, layer) in layers {
        combine_objects("service", label, &mut all.services, &layer.services)?;
        combine_objects("check", label, &mut all.checks, &layer.checks)?;
        combine_objects("log target", label, &mut all.log_targets, &layer.log_targets)?;
    }
    Ok(all)
}

/// A layer to be added.
pub struct Addition<'a> {
    /// Its label.
    pub label: &'a str,
    /// Its YAML.
    pub text: &'a str,
    /// Merge into a layer of the same label.
    pub combine: bool,
    /// Allow a place among earlier layers of the same folder.
    pub inner: bool,
}

impl Plan {
    /// The combination of all layers.
    #[must_use]
    pub fn sections(&self) -> &Sections {
        &self.sections
    }

    /// The plan as YAML.
    #[must_use]
    pub fn render(&self) -> String {
        render::plan(&self.sections)
    }

    /// Reads the files `NNN-label.yaml` of the folder of layers, in order.
    ///
    /// # Errors
    /// The first file that cannot be read or is no valid layer.
    pub fn load(&mut self, folder: &Path) -> Result<(), String> {
        let Ok(entries) = std::fs::read_dir(folder) else { return Ok(()) };
        let mut files: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
        files.sort();
        for file in files.into_iter().filter(|file| file.extension().is_some_and(|e| e == "yaml")) {
            let stem = file.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
            let Some((order, label)) = stem.split_once('-') else {
                return Err(format!(
                    "invalid layer filename: {file:?} (must look like \"123-some-label.yaml\")"
                ));
            };
            if order.parse::<u32>().is_err() {
                return Err(format!(
                    "invalid layer filename: {file:?} (must look like \"123-some-label.yaml\")"
                ));
            }
            let text =
                std::fs::read_to_string(&file).map_err(|error| format!("cannot read {file:?}: {error}"))?;
            self.add(&Addition { label, text: &text, combine: false, inner: false })
                .map_err(|failure| format!("cannot load {file:?}: {failure}"))?;
        }
        Ok(())
    }

    /// Adds a layer; a refused one leaves the plan untouched.
    ///
    /// # Errors
    /// 400 for what the layer or the combined plan violates, 500 for a place that needs `inner`.
    pub fn add(&mut self, addition: &Addition<'_>) -> Result<(), Failure> {
        let Addition { label, text, combine: merge, inner } = *addition;
        let parsed = parse::layer(label, text)
            .and_then(|sections| validate::layer(label, &sections).map(|()| sections))
            .map_err(|error| bad(format!("cannot parse layer YAML: {error}")))?;
        let found = self.layers.iter().position(|layer| layer.label == label);
        if found.is_some() && !merge {
            return Err(bad(format!("layer {label:?} already exists")));
        }
        let (place, sections) = match found {
            Some(place) => {
                let old = &self.layers[place].sections;
                (place, combine([(label, old), (label, &parsed)].into_iter()).map_err(bad)?)
            }
            None => (self.place(label, inner)?, parsed),
        };
        let mut layers: Vec<(&str, &Sections)> =
            self.layers.iter().map(|layer| (layer.label.as_str(), &layer.sections)).collect();
        if found.is_some() {
            layers[place].1 = &sections;
        } else {
            layers.insert(place, (label, &sections));
        }
        let combined = combine(layers.into_iter()).map_err(bad)?;
        validate::plan(&combined).map_err(bad)?;
        self.sections = combined;
        if found.is_some() {
            self.layers[place].sections = sections;
        } else {
            self.layers.insert(place, Layer { label: label.to_owned(), sections });
        }
        Ok(())
    }

    /// Where a new layer goes: at the end, or after the last one of the same folder of labels.
    fn place(&self, label: &str, inner: bool) -> Result<usize, Failure> {
        let end = self.layers.len();
        let Some((folder, _)) = label.split_once('/') else { return Ok(end) };
        let same = |layer: &Layer| layer.label.split_once('/').is_some_and(|(other, _)| other == folder);
        match self.layers.iter().rposition(same) {
            Some(last) if last + 1 < end && !inner => {
                Err(internal("cannot insert sub-directory layer without 'inner' attribute set"))
            }
            Some(last) => Ok(last + 1),
            None => Ok(end),
        }
    }
}
