/** What stands between load and upstream, running. */
export interface Gateway {
  /** Undefined when there is none: the load goes to the upstream directly. */
  readonly pid: number | undefined;
  readonly port: number;
  readonly path: string;
  /** From starting the process until it was ready to serve; undefined where that is not measured. */
  readonly readyMs?: number;
  stop(): Promise<void>;
}

/** What gateways are started with. */
export interface GatewayContext {
  readonly upstreamPort: number;
  readonly processor: number | undefined;
  /** A new directory for files of the gateway. */
  readonly directory: string;
}
