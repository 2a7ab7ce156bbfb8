//! The corridor that every dispatch walks once: observe, situation, desired, apply, status.
//!
//! A migration, or the effects of an action, stand between observe and situation: what they ended with is one more fact to
//! decide on. `dispatch` puts the rooms in this order.

pub mod apply;
pub mod desired;
pub mod migrate;
pub mod observe;
pub mod observed;
pub mod situation;
pub mod status;
#[cfg(test)]
pub mod tests;
mod texts;
