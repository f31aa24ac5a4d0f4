/** The table of subcommands, in the order of `flotilla --help`. Nothing else is imported eagerly. */
import type { CommandEntry } from "./command.ts";

/** All subcommands. */
export const commands: readonly CommandEntry[] = [
  {
    name: "server",
    summary: "run the leader: finds clients, runs sessions",
    load: () => import("./server.ts"),
  },
  {
    name: "client",
    summary: "run a client beside its data",
    load: () => import("./client.ts"),
  },
  {
    name: "session",
    summary: "submit a run and watch it to its end",
    load: () => import("./session.ts"),
  },
  {
    name: "ps",
    summary: "list the runs that a server knows",
    load: () => import("./ps.ts"),
  },
  {
    name: "logs",
    summary: "print what has happened in a run, and follow it",
    load: () => import("./logs.ts"),
  },
  {
    name: "stop",
    summary: "stop a run",
    load: () => import("./stop.ts"),
  },
  {
    name: "clients",
    summary: "list the clients that a server knows",
    load: () => import("./clients.ts"),
  },
  {
    name: "model",
    summary: "explain a model: layers, costs, and how it trains",
    load: () => import("./model.ts"),
  },
  {
    name: "plot",
    summary: "draw runs: quality, who trained when, resources",
    load: () => import("./plot.ts"),
  },
  {
    name: "data",
    summary: "divide data among clients, or look into a dataset",
    load: () => import("./data.ts"),
  },
  {
    name: "checkpoint",
    summary: "look into a checkpoint file",
    load: () => import("./checkpoint.ts"),
  },
  {
    name: "state",
    summary: "move what a server keeps to another place",
    load: () => import("./state.ts"),
  },
  {
    name: "gc",
    summary: "free what no run needs in a server's state",
    load: () => import("./gc.ts"),
  },
  {
    name: "config",
    summary: "print the schema of a configuration file, or check one",
    load: () => import("./config.ts"),
  },
];
