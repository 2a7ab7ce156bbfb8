//! manifest.yaml: what charmcraft tells Juju about the base that a charm was built for.

use std::env::consts::ARCH;
use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_yaml::Value;

use super::Error;

/// A fixed time instead of now, so that equal sources give equal charms.
const STARTED_AT: &str = "1980-01-01T00:00:00+00:00";

#[derive(Debug, Serialize)]
struct Manifest {
    #[serde(rename = "charmcraft-started-at")]
    started_at: &'static str,
    bases: [Base; 1],
    analysis: Analysis,
}

#[derive(Debug, Serialize)]
struct Base {
    name: String,
    channel: String,
    architectures: [&'static str; 1],
}

#[derive(Debug, Serialize)]
struct Analysis {
    attributes: [(); 0],
}

/// The two keys of charmcraft.yaml that matter here.
#[derive(Debug, Deserialize)]
struct Charmcraft {
    base: Option<String>,
    #[serde(default)]
    platforms: serde_yaml::Mapping,
}

/// The text of manifest.yaml for the platform of this machine in `charmcraft.yaml`.
pub fn generate(path: &Path) -> Result<String, Error> {
    let text = fs::read_to_string(path).map_err(Error::file(path))?;
    let yaml = |source| Error::Yaml { path: path.to_owned(), source };
    let charmcraft: Charmcraft = serde_yaml::from_str(&text).map_err(yaml)?;
    let (name, channel) =
        base(&charmcraft).map_err(|reason| Error::Charmcraft { path: path.to_owned(), reason })?;
    let manifest = Manifest {
        started_at: STARTED_AT,
        bases: [Base { name, channel, architectures: [architecture()] }],
        analysis: Analysis { attributes: [] },
    };
    serde_yaml::to_string(&manifest).map_err(yaml)
}

/// Name and channel of the base, from `base` or from a platform called `ubuntu@24.04:amd64`.
fn base(charmcraft: &Charmcraft) -> Result<(String, String), String> {
    let wanted = architecture();
    let fitting = charmcraft.platforms.iter().find_map(|(name, platform)| {
        let name = name.as_str()?;
        let (base, short) = match name.rsplit_once(':') {
            Some((base, short)) => (Some(base), short),
            None => (None, name),
        };
        let fits = match platform.get("build-for") {
            Some(Value::String(text)) => text == wanted || text == "all",
            Some(Value::Sequence(list)) => list.iter().any(|entry| *entry == wanted || *entry == "all"),
            _ => short == wanted,
        };
        fits.then_some(base)
    });
    let from_platform = fitting.ok_or_else(|| format!("no platform is built for {wanted}"))?;
    let base = from_platform.or(charmcraft.base.as_deref()).ok_or("it names no base")?;
    match base.split_once('@') {
        Some((name, channel)) if !name.is_empty() && !channel.is_empty() => {
            Ok((name.to_owned(), channel.to_owned()))
        }
        _ => Err(format!("base `{base}` is not of the form ubuntu@24.04")),
    }
}

/// This machine's architecture by Debian's name.
fn architecture() -> &'static str {
    match ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "powerpc64" => "ppc64el",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn charmcraft(text: &str) -> Result<(String, String), String> {
        base(&serde_yaml::from_str(&text.replace("HERE", architecture())).unwrap())
    }

    #[test]
    fn the_base_is_read_from_every_form_that_charmcraft_takes() {
        let noble = Ok(("ubuntu".to_owned(), "24.04".to_owned()));
        for text in [
            "base: ubuntu@24.04\nplatforms: {HERE: }",
            "base: ubuntu@24.04\nplatforms: {one: {build-on: [riscv64], build-for: [HERE]}}",
            "base: ubuntu@24.04\nplatforms: {one: {build-on: HERE, build-for: HERE}}",
            "platforms: {'ubuntu@24.04:HERE': }",
            "platforms: {'ubuntu@22.04:none': , 'ubuntu@24.04:HERE': }",
        ] {
            assert_eq!(charmcraft(text), noble, "{text}");
        }
    }

    #[test]
    fn a_charm_for_another_machine_or_without_base_is_refused() {
        for (text, says) in [
            ("base: ubuntu@24.04\nplatforms: {none: }", "no platform is built for"),
            ("base: ubuntu@24.04", "no platform is built for"),
            ("platforms: {HERE: }", "names no base"),
            ("base: ubuntu\nplatforms: {HERE: }", "`ubuntu` is not of the form"),
        ] {
            let error = charmcraft(text).unwrap_err();
            assert!(error.contains(says), "{error}");
        }
    }
}
