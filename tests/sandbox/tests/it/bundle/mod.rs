//! The charm among all the charms that it integrates with, and the stand-ins for those.

mod lives;
mod orders;
mod stand_ins;
mod takeover;
mod world;
