/**
 * Names of the topics on the broker. The first three are the original's; leader and clients must
 * agree on all of them.
 */

/** Where the messages of discovery travel. */
export interface DiscoveryTopics {
  /** Retained advert of a leader. */
  readonly leaderAdvert: string;
  /** Answers of clients to it. */
  readonly clientAdvert: string;
  readonly heartbeat: string;
  /** Goodbyes of clients, and last wills that the broker publishes for them. */
  readonly lost: string;
}

/** The topics that are used unless a configuration renames them. */
export const DEFAULT_TOPICS: DiscoveryTopics = {
  leaderAdvert: "advert_server",
  clientAdvert: "advert_client",
  heartbeat: "heartbeat",
  lost: "flotilla/lost",
};
