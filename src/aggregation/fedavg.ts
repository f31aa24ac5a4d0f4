/**
 * FedAvg: the mean of the clients' weights, each weighted by the number of items it trained on:
 *
 *     w = sum over c of (n_c / n) * w_c,  n = sum over c of n_c
 *
 * McMahan et al., "Communication-Efficient Learning of Deep Networks from Decentralized Data" (2017).
 */
import * as v from "valibot";
import type { Aggregator } from "./aggregator.ts";
import { weightedMean } from "./weighted_mean.ts";

/** Waits for every selected client that has not failed, then averages. */
export const fedavg: Aggregator<Record<never, never>, Record<never, never>> = {
  args: v.strictObject({}),
  initial: () => ({}),
  ready: ({ inFlight, updates }) => inFlight.length === 0 ? updates : null,
  async aggregate({ updates, read, state }, _args, result) {
    const total = updates.reduce((sum, { samples }) => sum + samples, 0);
    const shares = updates.map(({ samples }) => samples / total);
    await weightedMean(updates, shares, read, result);
    return state;
  },
};
