/** The leader's file, `server_config.yaml`: keys of the original, every one with a default. */
import * as v from "valibot";
import {
  port,
  seconds,
  section,
  text,
  topic,
  wholeNumber,
  withDefault,
  withoutEffect,
} from "./keys.ts";
import { trainingSection } from "./training_section.ts";

const stateLocation = v.pipe(
  v.picklist(["memory", "inmemory", "sqlite", "redis"]),
  // The original's name for the same thing.
  v.transform((location) => location === "inmemory" ? "memory" : location),
);

/** Schema of `server_config.yaml`. */
export const serverConfigSchema = v.strictObject({
  comm_config: section({
    mqtt: section({
      type: withDefault(text, "server", "Role written into the advert"),
      mqtt_broker: withDefault(
        text,
        "auto",
        "Host of the broker; auto: the one that answers on localhost, else an embedded one; embedded: always an embedded one",
      ),
      mqtt_broker_port: withDefault(port, 1883, "Port of the broker"),
      mqtt_sub_timeout_s: withoutEffect(
        withDefault(seconds, 1, "Seconds between two looks for clients, in the original"),
        "here: clients are seen when they come",
      ),
      mqtt_server_topic: withDefault(topic, "advert_server", "Topic of the leader's advert"),
      mqtt_client_topic: withDefault(topic, "advert_client", "Topic of the clients' adverts"),
      mqtt_heartbeat_interval_s: withDefault(seconds, 5, "Seconds between a client's heartbeats"),
      num_heartbeats_timestamp_cached: withoutEffect(
        withDefault(wholeNumber(1), 5, "Heartbeats remembered per client, in the original"),
        "here: the last one decides",
      ),
      max_heartbeat_miss_threshold: withDefault(
        wholeNumber(1),
        5,
        "Missed heartbeats after which a client counts as inactive",
      ),
    }, "Broker and heartbeats"),
    grpc: section({
      max_message_length: withDefault(
        wholeNumber(1),
        1_048_576_000,
        "Most bytes of one message, and of a model in transfer",
      ),
      chunk_size_bytes: withDefault(wholeNumber(1), 262_144, "Bytes in a frame of a transfer"),
      timeout_s: withDefault(seconds, 1200, "Seconds a call for training may take"),
    }, "Calls to clients"),
    restful: section({
      rest_hostname: withDefault(
        text,
        "127.0.0.1",
        "Address to bind, also of an embedded broker; 0.0.0.0 opens it to all",
      ),
      rest_port: withDefault(port, 12345, "Port to bind; 0: any free one"),
    }, "REST interface"),
  }, "Communication"),
  state: section({
    state_location: withDefault(stateLocation, "sqlite", "Where runs are kept"),
    state_hostname: withDefault(text, "localhost", "Host of Redis"),
    state_port: withDefault(port, 6379, "Port of Redis"),
    state_dir_path: withDefault(text, "./state", "Folder of the SQLite file and of weights"),
  }, "State that survives a restart"),
  training: trainingSection,
  checkpoint_dir_path: withDefault(text, "./checkpoint", "Folder of checkpoints"),
  validation_data_dir_path: withDefault(
    text,
    "./data",
    "Folder with a folder for each validation dataset",
  ),
  temp_dir_path: withDefault(
    text,
    "./scratch",
    "Folder in which validation data that are packed and larger than memory are unpacked",
  ),
  runs_dir_path: withDefault(text, "./runs", "Folder with a folder of results for each run"),
  models_dir_path: withDefault(text, "./models", "Folder with a folder for each model package"),
});

/** A valid `server_config.yaml`; durations are seconds, paths as written. */
export type ServerConfig = v.InferOutput<typeof serverConfigSchema>;
