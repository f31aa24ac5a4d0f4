/** What training and evaluation measure. Accuracies are fractions in [0, 1]; times are seconds. */

/** Result of evaluating a model on a dataset. */
export interface Evaluation {
  /** Mean loss over the items. */
  readonly loss: number;
  /** Fraction of items classified rightly; null for a model that does not classify. */
  readonly accuracy: number | null;
  /** Number of items evaluated. */
  readonly samples: number;
}

/**
 * How products are added up in training: "fused" in one rounding, which not every processor can, or
 * "portable" in two, with the same bytes on all of them.
 */
export type Arithmetic = "fused" | "portable";

/** What computes the steps of a training: the processor, or a GPU through WebGPU. */
export type Device = "cpu" | "webgpu";

/** Result of one client's local training. */
export interface TrainingMetrics {
  /** Mean training loss over all batches of the call. */
  readonly loss: number;
  /** Training accuracy over all items seen; null for a model that does not classify. */
  readonly accuracy: number | null;
  /** Local evaluation after training on the client's own test split; null if it has none. */
  readonly test: Evaluation | null;
  /** Local epochs done; fractional where a limit ended one early. */
  readonly epochs: number;
  /** Mini-batches done. */
  readonly miniBatches: number;
  /** Seconds spent training, without loading data or evaluating. */
  readonly trainSeconds: number;
  /** Absent if no kernel of ours computed, or if the client does not tell. */
  readonly arithmetic?: Arithmetic;
  /** Absent as `arithmetic` is, which a GPU leaves out. */
  readonly device?: Device;
}
