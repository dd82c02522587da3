// Types of the feed's events and of the page's state. Only tsc and readers use this file.

import type { LintState } from './lint.js';

export type Connection = 'connecting' | 'connected' | 'lost' | 'removed' | 'recorded';

interface BaseEvent {
  /** The event's number in the feed. Rows inside a snapshot may lack it. */
  id: number;
  agent: string;
  /** The host's clock, RFC 3339 in UTC. */
  received_at: string;
}

export interface TaskEvent extends BaseEvent {
  kind: 'task';
  task_id: string;
  context_id: string | null;
  /** The lesson's word, or A2A's where the lesson has none; see labels.js. */
  status: string;
  /** The A2A state. */
  state: string;
  /** 0-100, or null if the agent does not report it. */
  progress: number | null;
  message: string | null;
  result?: string;
  /** The size in bytes of each text of the row that is cut, by field. */
  shortened?: Record<string, number>;
  /** The answers that the agent's question offers. */
  choices?: string[];
  /** The task that started this one through the host. */
  parent_task_id?: string;
  /** The task whose reply started this one. */
  continues?: string;
  /** The task with which the agent answered a reply to this one. */
  continued_by?: string;
  message_id: string | null;
  /**
   * Only in rows that the host writes itself: the time of the last news of a stalled task,
   * or null in a row that ends this.
   */
  stalled_since?: string | null;
  /** The agent's clock, or null if the agent sent no time. */
  at: string | null;
}

export interface Part {
  text?: string;
  data?: unknown;
  url?: string;
  raw?: string;
  filename?: string;
  mediaType?: string;
}

export interface ArtifactEvent extends BaseEvent {
  kind: 'artifact';
  task_id: string;
  context_id: string | null;
  artifact_id: string;
  name: string | null;
  parts: Part[];
  append: boolean;
  last_chunk: boolean;
}

export interface MessageEvent extends BaseEvent {
  kind: 'message';
  context_id: string | null;
  message_id: string | null;
  message: string;
}

export interface Skill {
  id: string;
  name: string;
  description: string;
  examples: string[];
}

export interface AgentEvent extends BaseEvent {
  kind: 'agent';
  url: string;
  connection: Connection;
  cause: string | null;
  attempt: number;
  retry_s: number | null;
  title: string | null;
  description: string | null;
  version: string | null;
  /** The protocol binding in use: `JSONRPC`, `HTTP+JSON` or `GRPC`. */
  binding?: string | null;
  /** The A2A version in use: `1.0` or `0.3`. */
  protocol?: string | null;
  interface_url?: string | null;
  /** `streaming`, or `polling every 1 s`. */
  followed: string | null;
  /** Which of the agent's tasks the host finds. */
  discovery?: string | null;
  /** A problem of an agent that is connected. */
  trouble?: string | null;
  lint?: string[];
  /** The feed has every listed task between these times of the agent's clock. */
  found_from?: string;
  found_until?: string;
  skills: Skill[];
}

export interface GapEvent extends BaseEvent {
  kind: 'gap';
  task_id: string;
  context_id: string | null;
  message: string;
  /** The largest possible number of lost updates, if it is known. */
  missing?: number;
  /** True: the events after this gap are of another task with the same id. */
  new_task?: boolean;
}

/** The host noticed that a task is stalled, or goes on. */
export interface NoticeEvent extends BaseEvent {
  kind: 'notice';
  task_id: string;
  context_id: string | null;
  /** `stalled` or `resumed`. */
  notice: string;
  message: string;
}

export type FeedEvent =
  | TaskEvent
  | ArtifactEvent
  | MessageEvent
  | AgentEvent
  | GapEvent
  | NoticeEvent;

export interface Snapshot {
  id: number;
  /** The host's clock when it sent the snapshot. */
  now: string;
  epoch: string;
  reset: boolean;
  reason: string | null;
  agents: AgentEvent[];
  tasks: TaskEvent[];
  tasks_left_out?: number;
}

export interface Task {
  row: TaskEvent;
  /** Counts up with each new task: the newest task has the greatest number. */
  order: number;
  /** The task's first event, or null if the page has not seen it. */
  first: TaskEvent | null;
  lint_state: LintState;
}

export interface Agent {
  name: string;
  /** The position in the roster. It also selects the agent's hue. */
  index: number;
  /** Null until the agent's own event arrives. */
  row: AgentEvent | null;
  /** By task id. Finished tasks are in the order in which they ended. */
  tasks: Map<string, Task>;
  open: Set<Task>;
  /** Tasks that ended a few seconds before the latest end, or at it. */
  recently_ended: { task: Task; at_ms: number }[];
  /** The task with the latest event. */
  last: Task | null;
  /** The number of failed tasks. */
  failed: number;
}

/** The browser's connection to the host. */
export interface Link {
  /** `recording`: the page shows a file and has no host. */
  phase: 'connecting' | 'live' | 'reconnecting' | 'recording';
  /** Failed attempts since the connection was last live. */
  attempt: number;
  /** Start of the next attempt in browser ms; null during an attempt. */
  retry_at_ms: number | null;
  /** When the connection broke, in browser ms. */
  lost_at_ms: number | null;
  /** Browser clock minus host clock, as far as latency does not explain it. */
  skew_ms: number;
}

export interface State {
  epoch: string | null;
  /** The id of the latest event. */
  head: number;
  link: Link;
  /** Why the host cannot write its log, or null. The feed stops while it cannot. */
  fault: string | null;
  agents: Map<string, Agent>;
  /** The newest events, oldest first, with rising ids. */
  rows: FeedEvent[];
  /** True if the log may hold events before the first row. */
  has_older: boolean;
  /** Events after the last row that were dropped while the user reads older ones. */
  skipped: number;
  /** Why the last snapshot replaced everything, or null if it did not. */
  reset_reason: string | null;
  /** The number of tasks that the last snapshot had no room for. */
  tasks_left_out: number;
  /** Events per second in the last minute: counts[second % 60]. */
  rate: { second: number; counts: number[] };
  task_count: number;
  /** Counts the changes of agents' own rows. */
  roster_version: number;
  /** Violations of the A2A specification, by event id. */
  flaws: Map<number, string[]>;
}
