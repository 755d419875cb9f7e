/**
 * The tables of the consumers. The rules are constraints: whatever a program does wrong, no user gets a second seat of an event, no
 * seat is given twice, and no event gives more seats than it has.
 */
export const CONSUMER_TABLES = `
  create table if not exists events (
    id int primary key,
    seats int not null check (seats >= 0),
    taken int not null default 0 check (taken between 0 and seats)
  );
  create table if not exists reservations (
    event_id int not null references events,
    seat int not null check (seat > 0),
    user_id int not null,
    primary key (event_id, seat),
    unique (event_id, user_id)
  );
  create table if not exists answers (
    request_id uuid primary key,
    event_id int not null,
    user_id int not null,
    answer text not null,
    seat int
  );
  create index if not exists answers_by_user on answers (event_id, user_id)`;

/**
 * The same work as operations of the Batch Service: a request is one insert, and the order of the rows decides. The service writes
 * the rows of a table in the order in which it accepted the operations, so \`position\` is the order of the requests. The primary key
 * refuses the second request of a user. The first rows of an event, as many as it has seats, have a seat. No row is ever removed, so
 * an answer that was read once does not change.
 */
export const OPERATION_TABLES = `
  create table if not exists events_by_order (
    id int primary key,
    seats int not null check (seats >= 0)
  );
  create table if not exists seat_requests (
    event_id int not null,
    user_id int not null,
    position bigint generated always as identity,
    primary key (event_id, user_id)
  );
  create or replace view seats_by_order as
    select event_id, user_id, place as seat
    from (
      select event_id, user_id, row_number() over (partition by event_id order by position) as place
      from seat_requests
    ) as placed
    join events_by_order on events_by_order.id = event_id
    where place <= seats`;
