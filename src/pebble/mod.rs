//! pebble
