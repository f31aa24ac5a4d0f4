/** The scripts of tfjs's cpu backend, which finds its generator of random numbers as `seedrandom`. */
export { default as alea } from "seedrandom/alea" with { type: "text" };
export { default as cpu } from "@tensorflow/tfjs-backend-cpu/script" with { type: "text" };
