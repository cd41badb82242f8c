//! The one wasmtime engine, and the thread that makes its time pass.

mod ticker;

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use wasmtime::{
    Cache, CacheConfig, Config, Enabled, Engine, InstanceAllocationStrategy, OptLevel,
    PoolingAllocationConfig,
};

use crate::config::SandboxConfig;
use crate::error::SandboxError;
use crate::limits::{
    CORE_INSTANCES_MAX, DEEP_FRAMES, MEMORIES_MAX, MEMORY_BYTES_CEILING, TABLE_ELEMENTS_MAX,
    TABLES_MAX,
};

pub(crate) use ticker::{Running, Ticker};

/// One epoch. A guest gives way this often while it computes.
pub(crate) const TICK: Duration = Duration::from_millis(1);

/// What of each table stays resident between calls, wiped.
const TABLE_RESIDENT_BYTES: usize = 64 << 10;
/// The same of each memory, where the kernel tells which pages were written. More than a guest in
/// Rust touches, and most of what JavaScript does; times the places it is the most that is held.
const MEMORY_RESIDENT_BYTES: usize = 1 << 20;

/// Instances beside those of calls: one is tried out while it is loaded.
const SPARE_INSTANCES: usize = 2;

/// # Errors
/// No engine can be made on this machine, or the cache folder cannot be used.
pub(crate) fn build(config: &SandboxConfig) -> Result<Engine, SandboxError> {
    let cache = match &config.cache {
        Some(folder) => Some(cache(folder, &config.folder)?),
        None => None,
    };
    let settings = |strategy| {
        let mut settings = features();
        settings.consume_fuel(config.count_instructions);
        settings.cache(cache.clone());
        settings.allocation_strategy(strategy);
        settings
    };
    let pooled = settings(InstanceAllocationStrategy::Pooling(pool(config)));
    match Engine::new(&pooled) {
        Ok(engine) => Ok(engine),
        Err(why) => {
            // The pool reserves address space, which containers and `ulimit -v` may deny.
            tracing::warn!(
                reason = %format!("{why:#}"),
                "no pool for plugin instances: each call will map its own memory, which is slower"
            );
            let plain = settings(InstanceAllocationStrategy::OnDemand);
            Engine::new(&plain).map_err(|why| SandboxError::Engine(why.into()))
        }
    }
}

/// An engine that compiles into the cache what an engine made by [`build`] finds there, and runs
/// nothing: what the cache's key is made of is set by [`features`] alone, never by how memory is
/// had.
///
/// # Errors
/// As [`build`].
pub(crate) fn build_for_cache(folder: &Path) -> Result<(Engine, Cache), SandboxError> {
    let (_, cache) = open_cache(folder)?;
    let mut settings = features();
    settings.cache(Some(cache.clone()));
    settings.allocation_strategy(InstanceAllocationStrategy::OnDemand);
    let engine = Engine::new(&settings).map_err(|why| SandboxError::Engine(why.into()))?;
    Ok((engine, cache))
}

fn features() -> Config {
    let mut config = Config::new();
    config
        .cranelift_opt_level(OptLevel::Speed)
        .epoch_interruption(true)
        .concurrency_support(false)
        // A compile must not take the cores that deliveries run on.
        .parallel_compilation(false)
        .memory_init_cow(true)
        // Only for debuggers and profilers, and a third of what a loaded plugin holds.
        .generate_address_map(false)
        .native_unwind_info(false)
        .wasm_backtrace_max_frames(NonZeroUsize::new(DEEP_FRAMES))
        .wasm_gc(false)
        .wasm_memory64(false)
        // Its results differ between machines, and a dry run must repeat exactly.
        .wasm_relaxed_simd(false);
    config
}

fn pool(config: &SandboxConfig) -> PoolingAllocationConfig {
    let calls = u32::try_from(config.calls_max + SPARE_INSTANCES).unwrap_or(u32::MAX);
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(calls)
        .total_core_instances(calls.saturating_mul(CORE_INSTANCES_MAX))
        .total_memories(calls.saturating_mul(MEMORIES_MAX))
        .total_tables(calls.saturating_mul(TABLES_MAX))
        .total_stacks(calls)
        .max_core_instances_per_component(CORE_INSTANCES_MAX)
        .max_memories_per_component(MEMORIES_MAX)
        .max_tables_per_component(TABLES_MAX)
        .table_elements(TABLE_ELEMENTS_MAX)
        .max_memory_size(MEMORY_BYTES_CEILING)
        .pagemap_scan(Enabled::Auto)
        .linear_memory_keep_resident(memory_resident_bytes())
        // Tables of guests in Rust are a page: wiping it costs less than faulting it in anew.
        .table_keep_resident(TABLE_RESIDENT_BYTES)
        .decommit_batch_size(16);
    pool
}

/// Wiping the pages that a call wrote costs less than faulting them in anew: half of a call's
/// time. Linux tells them since 6.7. Elsewhere all pages would be wiped, written or not, and
/// giving them back in batches is three times faster than that.
fn memory_resident_bytes() -> usize {
    if PoolingAllocationConfig::is_pagemap_scan_available() {
        MEMORY_RESIDENT_BYTES
    } else {
        0
    }
}

fn cache(folder: &Path, plugins: &Path) -> Result<Cache, SandboxError> {
    let (folder, cache) = open_cache(folder)?;
    if plugins
        .canonicalize()
        .is_ok_and(|plugins| folder.starts_with(plugins))
    {
        return Err(SandboxError::CacheInPluginFolder { folder });
    }
    Ok(cache)
}

/// With its folder by its one true name.
fn open_cache(folder: &Path) -> Result<(PathBuf, Cache), SandboxError> {
    let failed = |source| SandboxError::Cache {
        folder: folder.to_owned(),
        source,
    };
    make_private(folder).map_err(|why| failed(why.into()))?;
    let folder = folder.canonicalize().map_err(|why| failed(why.into()))?;
    let mut settings = CacheConfig::new();
    settings.with_directory(&folder);
    let cache = Cache::new(settings).map_err(|why| failed(why.into()))?;
    Ok((folder, cache))
}

fn make_private(folder: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o700))?;
    }
    Ok(())
}
