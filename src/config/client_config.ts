/** A client's file, `client_config.yaml`: keys of the original, every one with a default. */
import * as v from "valibot";
import {
  flag,
  folderName,
  orNull,
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

function cleanup(what: string) {
  return withoutEffect(
    withDefault(flag, false, `Whether to delete ${what} at exit, in the original`),
    "here: nothing is deleted at exit",
  );
}

/** Schema of `client_config.yaml`. */
export const clientConfigSchema = v.strictObject({
  comm_config: section({
    mqtt: section({
      type: withDefault(text, "client", "Role written into the advert"),
      client_name: withDefault(
        folderName,
        "workstation",
        "Name of the client, to which its number is added: workstation_1",
      ),
      mqtt_broker: withDefault(text, "localhost", "Host of the broker"),
      mqtt_broker_port: withDefault(port, 1883, "Port of the broker"),
      mqtt_sub_timeout_s: withoutEffect(
        withDefault(seconds, 30, "Seconds to wait for a subscription, in the original"),
        "here: a client waits as long as it takes",
      ),
      mqtt_server_topic: withDefault(topic, "advert_server", "Topic of the leader's advert"),
      mqtt_client_topic: withoutEffect(
        withDefault(topic, "advert_client", "Topic of the clients' adverts"),
        "as the leader's advert names it",
      ),
      heartbeat_timeout_s: withoutEffect(
        withDefault(seconds, 15, "Seconds between heartbeats until the leader names its own"),
        "as the leader's advert names the interval, before the first heartbeat",
      ),
    }, "Broker and heartbeats"),
    grpc: section({
      workers: withoutEffect(
        withDefault(wholeNumber(1), 8, "Calls served at a time, in the original"),
        "here: calls need no threads",
      ),
      sync_port: withDefault(port, 50053, "Port of client 1 for short calls; client N adds 2(N-1)"),
      async_port: withDefault(port, 50054, "Port of client 1 for training; client N adds 2(N-1)"),
      host: withDefault(text, "127.0.0.1", "Address to bind; 0.0.0.0 opens it to all"),
      advertise_host: orNull(text, "Address told to the leader; null: the one that reaches it"),
    }, "Ports that the leader calls"),
  }, "Communication"),
  dataset_config: section({
    datasets_dir_path: withDefault(text, "./data", "Folder with a folder for each dataset"),
  }, "Local data"),
  training: trainingSection,
  general_config: section({
    temp_dir_path: orNull(
      text,
      "Folder of identity, results, caches and unpacked datasets; null: temp_N of client N",
    ),
    slowdown: withDefault(
      v.pipe(v.number(), v.finite(), v.minValue(1)),
      1,
      "How many times as long as on this machine each training takes, slept: for trials with slow devices",
    ),
    use_gpu: withDefault(
      flag,
      true,
      "Whether training.device may choose a GPU; false: training is always on the cpu",
    ),
    cleanup_session_on_exit: cleanup("sessions' files"),
    cleanup_model_cache_on_exit: cleanup("cached models"),
    cleanup_temp_on_exit: cleanup("the temp folder"),
  }, "The client itself"),
});

/** A valid `client_config.yaml`; durations are seconds, paths as written. */
export type ClientConfig = v.InferOutput<typeof clientConfigSchema>;
