-- The task hub's tables. Every statement is safe to run again; the caller holds an advisory lock.

create schema if not exists task_hub;

-- One hub lives in one database. Its name (host.json, durableTask.hubName) is kept to refuse a
-- second hub, whose instances would otherwise mix with these.
create table if not exists task_hub.hub (
    only_row   boolean primary key default true check (only_row),
    name       text not null,
    created_at timestamptz not null default clock_timestamp()
);

create table if not exists task_hub.instances (
    instance_id         text primary key,
    execution_id        text not null,
    name                text not null,
    version             text not null default '',
    status              text not null default 'Pending',
    input               text,
    output              text,
    custom_status       text,
    parent_instance_id  text,
    parent_execution_id text,
    parent_event_id     integer,
    -- Committed turns of this execution: a turn is only committed on top of the one before it.
    turns               integer not null default 0,
    -- The host that is taking a turn, until leased_until.
    owner               text,
    leased_until        timestamptz,
    created_at          timestamptz not null default clock_timestamp(),
    updated_at          timestamptz not null default clock_timestamp()
);
create index if not exists instances_unfinished on task_hub.instances (instance_id)
    where status in ('Pending', 'Running', 'Suspended');
create index if not exists instances_by_status on task_hub.instances (status, created_at);

-- One row for each turn; events is a JSON array. json, not jsonb: texts are kept as they came.
create table if not exists task_hub.history (
    instance_id text not null references task_hub.instances on delete cascade,
    turn        integer not null,
    events      json not null,
    primary key (instance_id, turn)
);

-- Events on their way to an instance. A timer is a message that becomes visible when it fires.
-- execution_id is null for what is meant for whichever execution runs.
create table if not exists task_hub.inbox (
    id           bigint generated always as identity primary key,
    instance_id  text not null references task_hub.instances on delete cascade,
    execution_id text,
    visible_at   timestamptz not null default clock_timestamp(),
    is_control   boolean not null default false,
    timer_id     integer,
    event        json not null
);
create index if not exists inbox_by_instance on task_hub.inbox (instance_id, visible_at, id);
create index if not exists inbox_by_time on task_hub.inbox (visible_at);

create table if not exists task_hub.activities (
    id           bigint generated always as identity primary key,
    instance_id  text not null references task_hub.instances on delete cascade,
    execution_id text not null,
    event_id     integer not null,
    name         text not null,
    input        text,
    attempt      integer not null default 0,
    owner        text,
    leased_until timestamptz
);
create index if not exists activities_by_instance on task_hub.activities (instance_id);

-- Timer triggers: what has run and what is due, so that a downtime is noticed.
create table if not exists task_hub.schedules (
    function_name text primary key,
    schedule      text not null,
    last_run      timestamptz,
    next_run      timestamptz not null
);
