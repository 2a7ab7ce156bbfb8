//! Loopback addresses: each unit has its own, so that every workload can keep its standard ports.

use std::net::{Ipv4Addr, TcpListener};

use super::Error;

/// The ports that a unit's address must have free: Kratos' two and PostgreSQL's.
const PORTS: [u16; 3] = [4433, 4434, 5432];
const ATTEMPTS: usize = 200;

/// Gives out addresses 127.a.b.c; a and b belong to this sandbox (by chance, from its seed), c counts.
#[derive(Debug)]
pub struct Addresses {
    a: u8,
    b: u8,
    next: u8,
}

impl Addresses {
    pub fn new(seed: u64) -> Self {
        let bytes = seed.to_be_bytes();
        Self { a: bytes[0] % 253 + 1, b: bytes[1], next: 1 }
    }

    pub fn take(&mut self) -> Result<String, Error> {
        for _ in 0..ATTEMPTS {
            let address = Ipv4Addr::new(127, self.a, self.b, self.next);
            self.next += 1;
            if self.next == u8::MAX {
                (self.next, self.b) = (1, self.b.wrapping_add(1));
            }
            if PORTS.iter().all(|port| TcpListener::bind((address, *port)).is_ok()) {
                return Ok(address.to_string());
            }
        }
        Err(Error::Programs("no loopback address with free ports found".into()))
    }
}
