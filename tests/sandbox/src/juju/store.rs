//! Charms that can be deployed: the working tree's charm at its channels, stand-ins for the charms beside it, and
//! local charms.

use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use super::Error;
use crate::model::{Charm, Origin};
use crate::pack;
use crate::programs::{Kratos, Programs};

/// Files from this size on are linked, not copied: a charm's binary is large and nobody writes to it.
const LINK_FROM: u64 = 1024 * 1024;

/// Charms beside Kratos, with their tracks, the usual one first. Two tracks stand for two versions of the library that
/// the real charm speaks an interface with.
pub(crate) const STAND_INS: &[(&str, &[&str])] = &[
    ("grafana-k8s", &["latest"]),
    ("hydra", &["latest"]),
    ("identity-platform-login-ui-operator", &["latest"]),
    ("kratos-external-idp-integrator", &["1", "0"]),
    ("kratos-webhook", &["latest"]),
    ("loki-k8s", &["latest"]),
    ("postgresql-k8s", &["14"]),
    ("prometheus-k8s", &["latest"]),
    ("self-signed-certificates", &["1", "0"]),
    ("smtp-integrator", &["latest"]),
    ("tempo-coordinator-k8s", &["latest"]),
    ("traefik-k8s", &["latest"]),
];

/// The store of one sandbox.
#[derive(Debug)]
pub struct Store {
    dir: PathBuf,
    source: PathBuf,
    programs: Result<Programs, String>,
    next: AtomicU32,
}

/// A charm that was found, laid out on disk.
#[derive(Debug, Clone)]
pub struct Found {
    /// Its declarations.
    pub charm: Charm,
    /// Channel and revision.
    pub origin: Origin,
    /// Where it is laid out.
    pub dir: PathBuf,
    /// The image that its channel brings for its oci-image resources.
    pub image: Option<String>,
}

/// One release of the working tree's charm.
struct Release {
    channel: String,
    revision: u32,
    image: String,
}

impl Store {
    pub(super) fn new(dir: PathBuf, source: PathBuf, programs: Result<Programs, String>) -> Self {
        Self { dir, source, programs, next: AtomicU32::new(0) }
    }

    /// The sandbox's programs.
    ///
    /// # Errors
    /// One of them is not built or not usable.
    pub fn programs(&self) -> Result<&Programs, Error> {
        self.programs.as_ref().map_err(|reason| Error::Programs(reason.clone()))
    }

    /// The Kratos that an image reference such as `kratos:v25.4.0` or `ghcr.io/canonical/kratos:25.4.0`
    /// stands for.
    ///
    /// # Errors
    /// There is none of that version.
    pub fn image(&self, reference: &str) -> Result<Kratos, Error> {
        let kratos = &self.programs()?.kratos;
        let tag = reference.rsplit_once(':').map_or(reference, |(_, tag)| tag);
        let plain = |version: &str| version.trim_start_matches('v').to_owned();
        let found = kratos.iter().find(|kratos| plain(&kratos.version) == plain(tag));
        found.cloned().ok_or_else(|| {
            let known: Vec<String> = kratos.iter().map(|k| format!("kratos:{}", k.version)).collect();
            Error::Charm(format!("no image \"{reference}\"; known images: {}", known.join(", ")))
        })
    }

    fn releases(&self) -> Result<Vec<Release>, Error> {
        let mut releases: Vec<Release> = Vec::new();
        for kratos in &self.programs()?.kratos {
            let channel = format!("{}/stable", version_name(&kratos.version));
            releases.retain(|release| release.channel != channel);
            let revision = u32::try_from(releases.len()).unwrap_or_default() + 1;
            releases.push(Release { channel, revision, image: format!("kratos:{}", kratos.version) });
        }
        Ok(releases)
    }

    /// The charm of a name (with a channel or revision) or of a local path (`./DIR`, `/DIR`, `FILE.charm`).
    ///
    /// # Errors
    /// There is none, or it cannot be read.
    pub fn find(&self, what: &str, channel: Option<&str>, revision: Option<u32>) -> Result<Found, Error> {
        let local = what.starts_with(['.', '/']) || what.ends_with(".charm");
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let dir = self.dir.join(number.to_string());
        if local {
            let path = Path::new(what);
            self.lay_out_local(path, &dir)?;
            let origin = Origin { channel: String::new(), revision: number };
            return Ok(Found { charm: read_charm(&dir)?, origin, dir, image: None });
        }
        let missing =
            || Error::Charm(format!("resolving with preferred channel: charm \"{what}\" not found"));
        match what {
            "kratos" => {
                let release = self.release(channel, revision)?;
                pack::lay_out(&self.programs()?.charm, &self.source, &dir).map_err(packing)?;
                let origin = Origin { channel: release.channel, revision: release.revision };
                Ok(Found { charm: read_charm(&dir)?, origin, dir, image: Some(release.image) })
            }
            _ => {
                let stand_in = STAND_INS.iter().find(|(name, _)| *name == what).ok_or_else(missing)?;
                self.stand_in(stand_in, channel, dir)
            }
        }
    }

    /// A stand-in: its YAML files and its program. A file `version` tells it which track it comes from.
    fn stand_in(
        &self,
        (name, tracks): &(&str, &[&str]),
        channel: Option<&str>,
        dir: PathBuf,
    ) -> Result<Found, Error> {
        let wanted = channel.map(|channel| channel.strip_suffix("/stable").unwrap_or(channel));
        let at = match wanted {
            None | Some("latest" | "stable") => Some(0),
            Some(wanted) => tracks.iter().position(|track| *track == wanted),
        };
        let names: Vec<String> = tracks.iter().map(|track| format!("{track}/stable")).collect();
        let at = at.ok_or_else(|| no_channel(name, channel.unwrap_or_default(), &names))?;
        copy_tree(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../stand-ins/charms").join(name), &dir)?;
        let version = dir.join("version");
        fs::write(&version, tracks[at]).map_err(Error::file(&version))?;
        let programs = self.programs()?;
        let program = if *name == "postgresql-k8s" { &programs.postgresql } else { &programs.stand_in };
        pack::install(program, &dir.join("dispatch")).map_err(packing)?;
        let revision = u32::try_from(tracks.len() - at).unwrap_or(1);
        let origin = Origin { channel: names[at].clone(), revision };
        Ok(Found { charm: read_charm(&dir)?, origin, dir, image: None })
    }

    fn release(&self, channel: Option<&str>, revision: Option<u32>) -> Result<Release, Error> {
        let mut releases = self.releases()?;
        let names: Vec<String> = releases.iter().map(|release| release.channel.clone()).collect();
        // `25.4` means its stable risk; `latest/stable` and `stable` are the newest.
        let wanted = match channel {
            None | Some("latest/stable" | "stable" | "latest") => None,
            Some(channel) if channel.contains('/') => Some(channel.to_owned()),
            Some(track) => Some(format!("{track}/stable")),
        };
        let at = match (revision, &wanted) {
            (Some(number), _) => releases.iter().position(|release| release.revision == number),
            (None, Some(channel)) => releases.iter().position(|release| release.channel == *channel),
            (None, None) => releases.len().checked_sub(1),
        };
        match at {
            Some(at) => Ok(releases.swap_remove(at)),
            None => Err(match revision {
                Some(number) => Error::Charm(format!("charm \"kratos\" has no revision {number}")),
                None => no_channel("kratos", channel.unwrap_or_default(), &names),
            }),
        }
    }

    fn lay_out_local(&self, path: &Path, dir: &Path) -> Result<(), Error> {
        if path.is_file() {
            return unpack(path, dir);
        }
        if !path.join("metadata.yaml").is_file() {
            let text = format!("no charm was found at \"{}\": it has no metadata.yaml", path.display());
            return Err(Error::Charm(text));
        }
        let packed = path.join("dispatch").exists() || !path.join("charmcraft.yaml").exists();
        if packed {
            copy_tree(path, dir)
        } else {
            pack::lay_out(&self.programs()?.charm, path, dir).map_err(packing)
        }
    }
}

/// `25.4` for `v25.4.0`: the track that a version is released to.
#[must_use]
pub fn version_name(version: &str) -> String {
    let numbers: Vec<&str> = version.trim_start_matches('v').split(['.', '-']).take(2).collect();
    numbers.join(".")
}

fn no_channel(charm: &str, channel: &str, known: &[String]) -> Error {
    Error::Charm(format!(
        "charm \"{charm}\" is not available in channel \"{channel}\"; available: {}",
        known.join(", ")
    ))
}

fn packing(error: pack::Error) -> Error {
    Error::Charm(error.to_string())
}

fn read_charm(dir: &Path) -> Result<Charm, Error> {
    let text = |name: &str| match fs::read_to_string(dir.join(name)) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::file(&dir.join(name))(error)),
    };
    let metadata = text("metadata.yaml")?.ok_or_else(|| Error::Charm("charm has no metadata.yaml".into()))?;
    Charm::parse(&metadata, text("config.yaml")?.as_deref(), text("actions.yaml")?.as_deref())
        .map_err(|error| Error::Charm(error.to_string()))
}

/// Copies a charm's directory to a place that then holds nothing else.
pub(super) fn copy_tree(from: &Path, to: &Path) -> Result<(), Error> {
    match fs::remove_dir_all(to) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(Error::file(to)(error)),
        _ => fs::create_dir_all(to).map_err(Error::file(to))?,
    }
    for entry in fs::read_dir(from).map_err(Error::file(from))? {
        let entry = entry.map_err(Error::file(from))?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        let meta = source.metadata().map_err(Error::file(&source))?;
        if meta.is_dir() {
            copy_tree(&source, &target)?;
        } else if meta.len() < LINK_FROM || fs::hard_link(&source, &target).is_err() {
            fs::copy(&source, &target).map_err(Error::file(&source))?;
        }
    }
    Ok(())
}

// A `.charm` file is a zip; modes count, Juju keeps them.
fn unpack(file: &Path, dir: &Path) -> Result<(), Error> {
    let refused = |reason: String| Error::Charm(format!("cannot read charm {}: {reason}", file.display()));
    let reader = fs::File::open(file).map_err(Error::file(file))?;
    let mut archive = zip::ZipArchive::new(reader).map_err(|error| refused(error.to_string()))?;
    fs::create_dir_all(dir).map_err(Error::file(dir))?;
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).map_err(|error| refused(error.to_string()))?;
        let name = entry.enclosed_name().ok_or_else(|| refused(format!("bad name \"{}\"", entry.name())))?;
        let target = dir.join(name);
        if entry.is_dir() {
            fs::create_dir_all(&target).map_err(Error::file(&target))?;
            continue;
        }
        if let Some(parent) = target.parent() {
            fs::create_dir_all(parent).map_err(Error::file(parent))?;
        }
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).map_err(Error::file(file))?;
        fs::write(&target, bytes).map_err(Error::file(&target))?;
        let mode = fs::Permissions::from_mode(entry.unix_mode().unwrap_or(0o644) & 0o777);
        fs::set_permissions(&target, mode).map_err(Error::file(&target))?;
    }
    Ok(())
}
