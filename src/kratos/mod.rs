//! kratos
