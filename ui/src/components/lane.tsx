import type { ILockHolder } from '../../../src/interfaces/lock-holder.js';
import type { IPause } from '../../../src/interfaces/pause.js';
import type { JSX } from 'preact';
import { pause, resumeLane, skipOfLane, unpause } from '../api/endpoints.js';
import { now } from '../state/clock.js';
import type { LaneNow } from '../state/lanes.js';
import { pageAddress } from '../state/location.js';
import { Action } from './actions.js';
import { Code, Copy, Time } from './basics.js';
import { shortTarget } from './format.js';

/** The SQLSTATE of a lock that was waited for for too long. */
const LOCK_NOT_AVAILABLE = '55P03';

/** Why a lane does not go on, in words, with links to what holds it. */
export function LaneReason({ lane }: { lane: LaneNow }): JSX.Element {
  const { block, closed, pauses, head, state } = lane;
  return (
    <div>
      {pauses.map((each) => (
        <p key={`${each.kind} ${each.name}`}>
          <PauseText pause={each} />
        </p>
      ))}
      {state === 'blocked' && block === undefined && head !== undefined && (
        <p>
          Its chunk waits for a lock. <a href={pageAddress(`/operations/${head.id}`)}>Who holds it</a>
        </p>
      )}
      {closed !== undefined && (
        <>
          <p>
            It is closed until open transactions end that have created operations for{' '}
            {closed.targets.map(shortTarget).join(', ')} in SQL: these tables get another lane.
          </p>
          <Holders holders={closed.holders} />
        </>
      )}
      {block !== undefined && (
        <p>
          <a href={pageAddress(`/operations/${block.operationId}`)}>An operation</a> was tried{' '}
          {block.failures === 1 ? 'once' : `${block.failures} times`}: {block.message}.{' '}
          {block.sqlState === LOCK_NOT_AVAILABLE && (
            <>
              <a href={pageAddress(`/operations/${block.operationId}`)}>Who holds the lock</a>{' '}
            </>
          )}
          {block.nextTryAt !== undefined ? (
            <>
              {Date.parse(block.nextTryAt) > now.value ? (
                <>
                  Next try <Time at={block.nextTryAt} />.
                </>
              ) : (
                'It is tried now.'
              )}
            </>
          ) : (
            <>
              Parked {block.parkedAt !== undefined && <Time at={block.parkedAt} />}: it is not tried until somebody
              resumes the lane.
            </>
          )}
        </p>
      )}
    </div>
  );
}

export function PauseText({ pause: { kind, name, pausedAt, by, reason, drain } }: { pause: IPause }): JSX.Element {
  return (
    <>
      {kind} {name} is {drain ? 'drained' : 'paused'}
      {by !== undefined && ` by ${by}`}, since <Time at={pausedAt} />
      {reason !== undefined && `: ${reason}`}
    </>
  );
}

export function Holders({ holders }: { holders: readonly ILockHolder[] }): JSX.Element {
  return (
    <ul class="holders">
      {holders.map((holder) => (
        <li key={holder.gid ?? holder.pid}>
          <Holder {...holder} />
        </li>
      ))}
    </ul>
  );
}

function Holder(holder: ILockHolder): JSX.Element {
  const { pid, gid, preparedAt, application, user, client, state, query, transactionStartedAt } = holder;
  return (
    <>
      {gid === undefined ? 'Session ' : 'Prepared transaction '}
      <code>{gid ?? pid}</code>
      {application !== undefined && application !== '' && ` of ${application}`}
      {user !== undefined && `, user ${user}`}
      {client !== undefined && `, from ${client}`}
      {state !== undefined && `, ${state}`}
      {preparedAt !== undefined && (
        <>
          , prepared <Time at={preparedAt} />
        </>
      )}
      {transactionStartedAt !== undefined && (
        <>
          , its transaction began <Time at={transactionStartedAt} />
        </>
      )}
      {query !== undefined && query !== '' && <Code text={query} label={`What session ${pid} ran last`} />}
      <Cure {...holder} />
    </>
  );
}

/** The service does not end sessions of others: its role may not, and whoever does it has to know what is lost. */
function Cure(holder: ILockHolder): JSX.Element {
  const { advice, command } = cureOf(holder);
  return (
    <div>
      <p>{advice}</p>
      <p>
        <code>{command}</code> <Copy text={command} label={`Copy ${command}`} />
      </p>
    </div>
  );
}

function cureOf({ pid, gid }: ILockHolder): { advice: string; command: string } {
  if (gid !== undefined) {
    return {
      advice:
        'Commit it (commit prepared) if the others of its transaction were committed. Otherwise roll it back in SQL, as its owner:',
      command: `rollback prepared '${gid.replaceAll("'", "''")}'`,
    };
  }
  if (pid === 0) {
    return {
      advice: 'It is a prepared transaction: commit it or roll it back. In SQL, this finds it:',
      command: 'select gid, prepared, owner from pg_prepared_xacts',
    };
  }
  return {
    advice:
      'Finish its transaction where it was begun, or end the session in SQL. What it has not committed is then rolled back:',
    command: `select pg_terminate_backend(${pid})`,
  };
}

export const ResumeLane = ({ lane }: { lane: number }): JSX.Element => (
  <Action label="Resume" scope="admin" done={`Lane ${lane} is tried again.`} work={() => resumeLane(lane)} />
);

export function LaneActions({ lane: { lane, block, pauses } }: { lane: LaneNow }): JSX.Element {
  const name = String(lane);
  const own = pauses.find((each) => each.kind === 'lane' && each.name === name);
  return (
    <div class="actions">
      {block !== undefined && (
        <>
          <ResumeLane lane={lane} />
          <Action
            label="Skip the operation"
            scope="admin"
            danger
            done={`The operation is cancelled, and lane ${lane} goes on.`}
            work={() => skipOfLane(lane, block.operationId)}
            confirm={
              <p>
                Operation <code>{block.operationId}</code> is cancelled, and lane {lane} goes on without it. It can be
                retried later.
              </p>
            }
          />
        </>
      )}
      {own === undefined ? (
        <Action
          label="Pause"
          scope="admin"
          done={`Lane ${lane} is paused.`}
          work={() => pause('lane', name)}
          confirm={
            <p>Nothing of lane {lane} is executed until somebody unpauses it. New operations are still accepted.</p>
          }
        />
      ) : (
        <Action label="Unpause" scope="admin" done={`Lane ${lane} goes on.`} work={() => unpause('lane', name)} />
      )}
      {pauses
        .filter((each) => each !== own && each.kind !== 'source')
        .map((each) => (
          <Action
            key={`${each.kind} ${each.name}`}
            label={`Unpause ${each.kind} ${each.name}`}
            scope="admin"
            done={`${each.kind} ${each.name} goes on.`}
            work={() => unpause(each.kind, each.name)}
          />
        ))}
    </div>
  );
}
