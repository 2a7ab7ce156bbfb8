//! What Kratos says of itself: whether it listens, and which configuration it has loaded.

use reqwest::Method;

use super::{Admin, NO_BODY, Result};

impl Admin {
    /// The revision of the configuration that is loaded (Kratos v25.4.0 and newer).
    pub async fn revision(&self) -> Result<String> {
        let answer = self.call(Method::GET, &["health", "config"], &[], NO_BODY).await?;
        Ok(String::from_utf8_lossy(&answer.body).trim().to_owned())
    }

    /// Whether it serves: its database answers and is migrated.
    pub async fn is_ready(&self) -> bool {
        self.call(Method::GET, &["health", "ready"], &[], NO_BODY).await.is_ok()
    }

    /// Whether it listens at all.
    pub async fn is_alive(&self) -> bool {
        self.call(Method::GET, &["health", "alive"], &[], NO_BODY).await.is_ok()
    }
}
