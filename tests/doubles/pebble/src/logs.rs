//! The output of services: one ring of lines per service, kept after the service stopped.
//!
//! It is given the reading end of a service's output pipe and gives lines with their time; the ring holds 100 KiB.

use std::{
    collections::{BTreeMap, VecDeque},
    os::fd::OwnedFd,
    sync::Mutex,
};

use serde_json::json;
use tokio::{io::AsyncReadExt, net::unix::pipe};

use super::{clock::Stamp, lock};

const RING: usize = 100 * 1024;
const BUFFER: usize = 4 * 1024;

/// A line that is being read.
struct Line {
    begun: Stamp,
    text: Vec<u8>,
}

struct Entry {
    time: Stamp,
    message: String,
}

#[derive(Default)]
struct Ring {
    entries: VecDeque<Entry>,
    size: usize,
}

/// The rings of all services.
#[derive(Default)]
pub struct Logs {
    rings: Mutex<BTreeMap<String, Ring>>,
}

impl Logs {
    fn add(&self, service: &str, line: &Line) {
        let message = String::from_utf8_lossy(&line.text).into_owned();
        let mut rings = lock(&self.rings);
        let ring = rings.entry(service.to_owned()).or_default();
        ring.size += message.len() + 1;
        ring.entries.push_back(Entry { time: line.begun, message });
        while ring.size > RING {
            let Some(oldest) = ring.entries.pop_front() else { break };
            ring.size -= oldest.message.len() + 1;
        }
    }

    /// Reads a service's output until nobody holds its other end any more; a line counts when its newline is there, when
    /// it grows too long, or at the end. Its time is that of its first byte.
    pub async fn pump(&self, service: &str, from: OwnedFd) {
        let Ok(mut from) = pipe::Receiver::from_owned_fd(from) else { return };
        // Pebble's buffer also holds the time and the name that it puts before a line, but not before its continuation.
        let first = BUFFER - "2006-01-02T15:04:05.000Z [] ".len() - service.len().min(BUFFER / 2);
        let mut line: Option<Line> = None;
        let mut limit = first;
        let mut chunk = vec![0; 16 * 1024];
        while let Ok(count @ 1..) = from.read(&mut chunk).await {
            for byte in &chunk[..count] {
                let filling = line.get_or_insert_with(|| Line { begun: Stamp::now(), text: Vec::new() });
                if *byte == b'\n' {
                    // The newline right after a full buffer makes no empty line.
                    if limit == first || !filling.text.is_empty() {
                        self.add(service, filling);
                    }
                    (line, limit) = (None, first);
                    continue;
                }
                filling.text.push(*byte);
                if filling.text.len() >= limit {
                    self.add(service, filling);
                    (line, limit) = (None, BUFFER);
                }
            }
        }
        if let Some(line) = line {
            self.add(service, &line);
        }
    }

    /// The newest lines of a service (20 at most), indented, as a failed start reports them.
    #[must_use]
    pub fn tail(&self, service: &str) -> String {
        let rings = lock(&self.rings);
        let lines: Vec<&str> = rings
            .get(service)
            .map(|ring| {
                let skip = ring.entries.len().saturating_sub(20);
                ring.entries.iter().skip(skip).map(|entry| entry.message.as_str()).collect()
            })
            .unwrap_or_default();
        format!("    {}", lines.join("\n    "))
    }

    /// The newest `count` lines (`None`: all) of the named services (none named: all), by time, one JSON object a line.
    #[must_use]
    pub fn ndjson(&self, services: &[String], count: Option<usize>) -> String {
        let rings = lock(&self.rings);
        let mut lines: Vec<(Stamp, &str, &str)> = rings
            .iter()
            .filter(|(name, _)| services.is_empty() || services.contains(name))
            .flat_map(|(name, ring)| {
                ring.entries.iter().map(move |entry| (entry.time, name.as_str(), entry.message.as_str()))
            })
            .collect();
        lines.sort_by_key(|(time, _, _)| *time);
        let skip = count.map_or(0, |count| lines.len().saturating_sub(count));
        lines[skip..]
            .iter()
            .map(|(time, service, message)| {
                format!("{}\n", json!({"time": time.milliseconds(), "service": service, "message": message}))
            })
            .collect()
    }
}
