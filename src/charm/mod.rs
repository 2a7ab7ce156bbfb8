//! charm
