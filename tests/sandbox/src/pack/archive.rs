//! The zip archive that a `.charm` file is.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use ::zip::result::ZipError;
use ::zip::write::SimpleFileOptions;
use ::zip::{CompressionMethod, DateTime, ZipWriter};

use super::Error;

/// Packs all of `dir` into the new archive `file`: names sorted, modes kept, times fixed, so that equal directories
/// give equal files. Symbolic links are refused, because Juju would unpack a copy of their target.
pub fn zip(dir: &Path, file: &Path) -> Result<(), Error> {
    let mut paths = Vec::new();
    collect(dir, &mut paths)?;
    paths.sort();
    let mut archive = ZipWriter::new(File::create(file).map_err(Error::file(file))?);
    for path in paths {
        let metadata = path.metadata().map_err(Error::file(&path))?;
        let name = entry_name(dir, &path)?;
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Deflated)
            .last_modified_time(DateTime::default())
            .unix_permissions(metadata.permissions().mode() & 0o777);
        if metadata.is_dir() {
            archive.add_directory(name, options).map_err(failed(file))?;
        } else {
            archive.start_file(name, options).map_err(failed(file))?;
            let mut source = File::open(&path).map_err(Error::file(&path))?;
            io::copy(&mut source, &mut archive).map_err(Error::file(&path))?;
        }
    }
    archive.finish().map_err(failed(file))?;
    Ok(())
}

fn collect(dir: &Path, paths: &mut Vec<PathBuf>) -> Result<(), Error> {
    for entry in fs::read_dir(dir).map_err(Error::file(dir))? {
        let entry = entry.map_err(Error::file(dir))?;
        let kind = entry.file_type().map_err(Error::file(&entry.path()))?;
        if kind.is_dir() {
            collect(&entry.path(), paths)?;
        } else if !kind.is_file() {
            return Err(Error::Pack {
                path: entry.path(),
                reason: "it is neither file nor directory".into(),
            });
        }
        paths.push(entry.path());
    }
    Ok(())
}

fn entry_name(dir: &Path, path: &Path) -> Result<String, Error> {
    let name = path.strip_prefix(dir).ok().and_then(Path::to_str);
    name.map(str::to_owned)
        .ok_or_else(|| Error::Pack { path: path.to_owned(), reason: "its name is not UTF-8".into() })
}

fn failed(file: &Path) -> impl FnOnce(ZipError) -> Error {
    let path = file.to_owned();
    move |error| Error::Pack { path, reason: error.to_string() }
}
