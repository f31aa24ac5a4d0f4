/** What `server` and `client` have in common: flags, log output, and how they end. */
import { type Command, InvalidArgumentError, Option } from "commander";
import type { TrainingConfig } from "../config/training_section.ts";
import { isLoopback } from "../discovery/local_address.ts";
import { formatRecord, type LogFormat } from "../log/console_log.ts";
import { createLogger, type Logger, type LogLevel } from "../log/log.ts";
import { ExitCode } from "../core/errors.ts";
import type { EngineSettings } from "../training/protocol.ts";
import { errorOutput } from "./output.ts";

/** Flags of every long-running command. */
export interface ServiceFlags {
  readonly config?: string;
  readonly host?: string;
  readonly mqttBroker?: string;
  readonly mqttPort?: number;
  readonly arithmetic?: "auto" | "portable";
  readonly monitor?: boolean;
  readonly logLevel: LogLevel;
  readonly logFormat: LogFormat;
}

/** Adds the flags. */
export function addServiceFlags(command: Command, defaultConfig: string): Command {
  return command
    .option("--config <file>", `configuration file (default: ${defaultConfig} if it exists)`)
    .option("--host <address>", "address to bind; 0.0.0.0 opens it to other machines")
    .option("--mqtt-broker <host>", "host of the MQTT broker, see the configuration file")
    .option("--mqtt-port <port>", "port of the MQTT broker", portNumber)
    .addOption(
      new Option("--arithmetic <kind>", "how training adds up, see the configuration file")
        .choices(["auto", "portable"]),
    )
    .option("-m, --monitor", "measure CPU, memory, network and disk every second into a CSV file")
    .addOption(
      new Option("--log-level <level>", "least severity that is logged")
        .choices(["debug", "info", "warning", "error"]).default("info"),
    )
    .addOption(
      new Option("--log-format <format>", "readable lines, or a JSON object per line")
        .choices(["text", "json"]).default("text"),
    );
}

/** How workers compute, as the configuration says. */
export function engineSettings({ dataset_memory_mb, ...same }: TrainingConfig): EngineSettings {
  return { ...same, datasetBytes: dataset_memory_mb * 2 ** 20 };
}

/** Parses a port. @throws {InvalidArgumentError} */
export function portNumber(text: string): number {
  const port = Number(text);
  if (/^\d+$/.test(text) && port <= 65535) return port;
  throw new InvalidArgumentError("A port is a whole number from 0 to 65535.");
}

/** Parses a number of things. @throws {InvalidArgumentError} */
export function positiveCount(text: string): number {
  const count = Number(text);
  if (/^\d+$/.test(text) && count >= 1) return count;
  throw new InvalidArgumentError("A whole number from 1 is needed.");
}

/** A logger that writes to stderr, in colour on a terminal. */
export function consoleLogger({ logLevel, logFormat }: ServiceFlags): Logger {
  const colour = errorOutput.isTerminal && (Deno.env.get("NO_COLOR") ?? "") === "";
  return createLogger(
    (record) => errorOutput.write(`${formatRecord(record, logFormat, colour)}\n`),
    logLevel,
  );
}

/** Warns if a bound address can be reached from other machines. */
export function warnIfOpen(logger: Logger, host: string, what: string): void {
  if (isLoopback(host)) return;
  logger.warning(
    "open_to_network",
    `${what} can be reached from other machines (bound to ${host}), and nothing is encrypted or ` +
      "authenticated yet: use a network that you trust",
  );
}

/**
 * Resolves at the first SIGINT or SIGTERM; a second one ends the process at once.
 */
export function untilInterrupted(): Promise<Deno.Signal> {
  return new Promise((resolve) => {
    let asked = false;
    for (const signal of ["SIGINT", "SIGTERM"] as const) {
      Deno.addSignalListener(signal, () => {
        if (asked) Deno.exit(ExitCode.interrupted);
        asked = true;
        resolve(signal);
      });
    }
  });
}
