//! Zulip's own scripts, as upstream's restore runs them.

use crate::site::Site;
use crate::{Progress, Result};

/// Hosts that mean this machine, as upstream's restore knows them.
const LOCAL: [&str; 4] = ["127.0.0.1", "::1", "localhost", "localhost6"];

pub(super) fn stop(site: &Site, progress: &dyn Progress) -> Result<()> {
    site.run(&site.deployment()?.script("scripts/stop-server")?, progress).map(|_| ())
}

pub(super) fn restart(site: &Site, progress: &dyn Progress) -> Result<()> {
    site.run(&site.deployment()?.script("scripts/restart-server")?, progress).map(|_| ())
}

pub(super) fn flush_memcached(site: &Site, progress: &dyn Progress) -> Result<()> {
    site.run(&site.deployment()?.script("scripts/setup/flush-memcached")?, progress).map(|_| ())
}

pub(super) fn generate_secrets(site: &Site, progress: &dyn Progress) -> Result<()> {
    let call = site.deployment()?.script("scripts/setup/generate_secrets.py")?.as_caller().arg("--production");
    site.run(&call, progress).map(|_| ())
}

/// Only where RabbitMQ is on this machine, which the settings that are there now decide.
pub(super) fn configure_rabbitmq(site: &Site, progress: &dyn Progress) -> Result<()> {
    let deployment = site.deployment()?;
    let ask = deployment.as_reader(deployment.script("scripts/get-django-setting")?.arg("RABBITMQ_HOST").quiet());
    let host = site.run(&ask, progress)?.stdout;
    if !LOCAL.contains(&host.trim()) {
        progress.message(&format!("RabbitMQ is on {}: not configured from here", host.trim()));
        return Ok(());
    }
    site.run(&deployment.script("scripts/setup/configure-rabbitmq")?.as_caller(), progress).map(|_| ())
}

pub(super) fn puppet_apply(site: &Site, progress: &dyn Progress) -> Result<()> {
    site.run(&site.deployment()?.script("scripts/zulip-puppet-apply")?.as_caller().arg("-f"), progress).map(|_| ())
}
