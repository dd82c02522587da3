// Owns the shapes that the modules share: events as the host sends them, and the state
// folded from them. Read by tsc and by people; the browser never loads it.

export type Connection = 'connecting' | 'connected' | 'lost' | 'removed' | 'recorded';

interface Stamped {
  /** The feed's number; rows inside a snapshot may lack it. */
  id: number;
  agent: string;
  /** The host's clock, RFC 3339 in UTC. */
  received_at: string;
}

export interface TaskEvent extends Stamped {
  kind: 'task';
  task_id: string;
  context_id: string | null;
  /** The lesson's word or A2A's; see words.js. */
  status: string;
  state: string;
  /** 0-100, or null where the agent does not say. */
  progress: number | null;
  message: string | null;
  result?: string;
  /** The answers that its question offers. */
  choices?: string[];
  /** The task that started it through the host. */
  parent_task_id?: string;
  message_id: string | null;
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

export interface ArtifactEvent extends Stamped {
  kind: 'artifact';
  task_id: string;
  context_id: string | null;
  artifact_id: string;
  name: string | null;
  parts: Part[];
  append: boolean;
  last_chunk: boolean;
}

export interface MessageEvent extends Stamped {
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

export interface AgentEvent extends Stamped {
  kind: 'agent';
  url: string;
  connection: Connection;
  cause: string | null;
  attempt: number;
  retry_s: number | null;
  title: string | null;
  description: string | null;
  version: string | null;
  /** `JSONRPC`, `HTTP+JSON` or `GRPC`: what is spoken with it. */
  binding?: string | null;
  /** A2A's version, `1.0` or `0.3`. */
  protocol?: string | null;
  interface_url?: string | null;
  /** `streaming`, or `polling every 1 s`. */
  followed: string | null;
  /** Which of its tasks are found. */
  discovery?: string | null;
  /** What is wrong with an agent that is connected all the same. */
  trouble?: string | null;
  skills: Skill[];
}

export interface GapEvent extends Stamped {
  kind: 'gap';
  task_id: string;
  context_id: string | null;
  message: string;
  /** How many updates at most; not there where nobody can know. */
  missing?: number;
}

export type FeedEvent =
  | TaskEvent
  | ArtifactEvent
  | MessageEvent
  | AgentEvent
  | GapEvent;

export interface Snapshot {
  id: number;
  /** The host's clock as it sends this. */
  now: string;
  epoch: string;
  reset: boolean;
  reason: string | null;
  agents: AgentEvent[];
  tasks: TaskEvent[];
}

/** A task as the page knows it. */
export interface Task {
  row: TaskEvent;
  /** Grows with each task first seen: the greatest is the newest. */
  order: number;
  /** Its first event; null when that was never seen. */
  first: TaskEvent | null;
  /** What lint.js remembers of it. */
  seen: import('./lint.js').Seen;
}

export interface Agent {
  name: string;
  /** Its place in the roster; also chooses its hue. */
  index: number;
  /** Null until the agent's own event arrives. */
  row: AgentEvent | null;
  /** By id; of those that are over, the first to end comes first. */
  tasks: Map<string, Task>;
  open: Set<Task>;
  /** Those that ended within some seconds before the last one that did. */
  ended: { task: Task; at_ms: number }[];
  /** The one that was told of last. */
  last: Task | null;
  /** How many failed. */
  failed: number;
}

/** How the browser's connection to the host stands. */
export interface Link {
  /** `recording`: there is no host, only a file that was opened. */
  phase: 'connecting' | 'live' | 'reconnecting' | 'recording';
  /** Failed attempts since it was last live. */
  attempt: number;
  /** When the next attempt begins, in browser ms; null while one is under way. */
  retry_at_ms: number | null;
  /** When it was lost, in browser ms. */
  lost_at_ms: number | null;
  /** Browser clock minus host clock, as far as it cannot be the way between them. */
  skew_ms: number;
}

export interface State {
  epoch: string | null;
  /** The id of the last event folded. */
  head: number;
  link: Link;
  /** Why the host's log fails: nothing new is shown while it does. */
  fault: string | null;
  agents: Map<string, Agent>;
  /** The newest events, oldest first, ids rising. */
  rows: FeedEvent[];
  /** Whether the log may hold events before the first row. */
  has_older: boolean;
  /** Events after the last row that were not kept, since somebody reads further back. */
  skipped: number;
  /** Why the last snapshot replaced everything; null when none did. */
  reset_reason: string | null;
  /** Events per second, the last minute: counts[second % 60]. */
  rate: { second: number; counts: number[] };
  tasks_seen: number;
  /** Grows whenever an agent's own row changes. */
  roster: number;
  /** What the specification says against events, by their id. */
  flaws: Map<number, string[]>;
}
