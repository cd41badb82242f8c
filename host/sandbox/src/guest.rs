//! What the host holds for one call: the little that is granted, and the meters.

use wasmtime::component::ResourceTable;
use wasmtime::{Engine, ResourceLimiter, Store, UpdateDeadline};
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};
use whisperer_domain::time::Timestamp;

use crate::bindings::whisperer::plugin::{log, types};
use crate::chance::{EventClock, EventRandom};
use crate::engine::{Running, TICK};
use crate::guest_log::GuestLog;
use crate::limits::{
    CORE_INSTANCES_MAX, HANDLES_MAX, Limits, MEMORIES_MAX, OUTPUT_EXTRA_BYTES, RANDOM_BYTES_MAX,
    TABLE_ELEMENTS_MAX, TABLES_MAX,
};

/// Where a guest's clock and randomness come from.
pub(crate) struct Origin<'a> {
    pub(crate) event_id: &'a str,
    pub(crate) occurred_at: Timestamp,
}

pub(crate) struct Guest {
    wasi: WasiCtx,
    pub(crate) table: ResourceTable,
    pub(crate) clock: EventClock,
    meter: Meter,
    log: GuestLog,
    /// Time passes for it.
    _running: Running,
}

/// What a call took of the machine, beside its time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// The most that all its memories had together.
    pub memory_bytes: usize,
    /// What it executed, in the engine's units of about one instruction; none if nobody counts.
    pub instructions: Option<u64>,
}

/// A limit that the guest ran into, as the cause of the trap that ended it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Exceeded {
    #[error("it asked for more than {bytes_max} bytes of memory")]
    Memory { bytes_max: usize },
    #[error("it asked for more than {TABLE_ELEMENTS_MAX} table elements")]
    Table,
}

impl Guest {
    /// A store with every limit set. Time runs from here.
    pub(crate) fn store(
        engine: &Engine,
        running: Running,
        limits: &Limits,
        origin: &Origin<'_>,
        log: GuestLog,
    ) -> Store<Self> {
        let mut random = EventRandom::from(origin.event_id);
        let clock = EventClock::at(origin.occurred_at);
        let seed = u128::from(random.next()) << 64 | u128::from(random.next());
        let wasi = WasiCtxBuilder::new()
            .stdout(log.clone())
            .stderr(log.clone())
            .wall_clock(clock.clone())
            .insecure_random_seed(seed)
            .insecure_random(EventRandom::from(origin.event_id))
            .secure_random(random)
            .max_random_size(RANDOM_BYTES_MAX)
            .allow_tcp(false)
            .allow_udp(false)
            .allow_ip_name_lookup(false)
            .build();
        let mut table = ResourceTable::new();
        table.set_max_capacity(HANDLES_MAX);
        let guest = Self {
            wasi,
            table,
            clock,
            meter: Meter::new(limits.memory_bytes_max),
            log,
            _running: running,
        };
        let mut store = Store::new(engine, guest);
        store.limiter(|guest| &mut guest.meter);
        // Refused where instructions are not counted.
        let _ = store.set_fuel(u64::MAX);
        store.set_hostcall_fuel(limits.output_bytes_max.saturating_add(OUTPUT_EXTRA_BYTES));
        store.set_max_component_handles(HANDLES_MAX);
        count_own_time(&mut store, limits);
        store
    }

    /// What the call in this store used so far.
    pub(crate) fn usage(store: &Store<Self>) -> Usage {
        Usage {
            memory_bytes: store.data().meter.memory_bytes,
            instructions: store.get_fuel().ok().map(|left| u64::MAX - left),
        }
    }
}

/// The guest gives way at every tick, until it has run for its time. A tick counts only if the
/// guest ran into it, so a machine that is busy elsewhere kills no innocent plugin.
fn count_own_time(store: &mut Store<Guest>, limits: &Limits) {
    let mut ticks_left = limits.own_time.as_millis() / TICK.as_millis();
    store.set_epoch_deadline(1);
    store.epoch_deadline_callback(move |_| {
        if ticks_left == 0 {
            return Ok(UpdateDeadline::Interrupt);
        }
        ticks_left -= 1;
        Ok(UpdateDeadline::YieldCustom(
            1,
            Box::pin(tokio::task::yield_now()),
        ))
    });
}

impl WasiView for Guest {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.wasi,
            table: &mut self.table,
        }
    }
}

impl types::Host for Guest {}

impl log::Host for Guest {
    fn write(&mut self, level: log::Level, message: String) {
        let level = match level {
            log::Level::Debug => "debug",
            log::Level::Info => "info",
            log::Level::Warn => "warn",
            log::Level::Error => "error",
        };
        self.log.line(level, &message);
    }
}

/// Counts memory over all memories of a store, where wasmtime's own limiter looks at each by
/// itself; says which limit was met by a typed error.
struct Meter {
    memory_bytes: usize,
    memory_bytes_max: usize,
    table_elements: usize,
}

impl Meter {
    fn new(memory_bytes_max: usize) -> Self {
        Self {
            memory_bytes: 0,
            memory_bytes_max,
            table_elements: 0,
        }
    }
}

/// Adds a growth to what is used of all, if the bound lets it.
fn grow(used: &mut usize, used_max: usize, current: usize, desired: usize) -> bool {
    let wanted = used.saturating_add(desired.saturating_sub(current));
    let fits = wanted <= used_max;
    if fits {
        *used = wanted;
    }
    fits
}

impl ResourceLimiter for Meter {
    /// Failing the call by name beats letting the guest guess what to do without memory. Within
    /// that, beyond the maximum that the guest itself declared, its growth fails as it expects.
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let bytes_max = self.memory_bytes_max;
        if desired <= bytes_max && maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        if !grow(&mut self.memory_bytes, bytes_max, current, desired) {
            return Err(Exceeded::Memory { bytes_max }.into());
        }
        Ok(true)
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        if desired <= TABLE_ELEMENTS_MAX && maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        if !grow(
            &mut self.table_elements,
            TABLE_ELEMENTS_MAX,
            current,
            desired,
        ) {
            return Err(Exceeded::Table.into());
        }
        Ok(true)
    }

    fn instances(&self) -> usize {
        CORE_INSTANCES_MAX as usize
    }

    fn tables(&self) -> usize {
        TABLES_MAX as usize
    }

    fn memories(&self) -> usize {
        MEMORIES_MAX as usize
    }
}
