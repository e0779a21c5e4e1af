package io.deltarule.cuda;

import static jcuda.driver.CUresult.CUDA_SUCCESS;
import static jcuda.driver.CUstreamCaptureMode.CU_STREAM_CAPTURE_MODE_RELAXED;
import static jcuda.driver.JCudaDriver.cuGraphDestroy;
import static jcuda.driver.JCudaDriver.cuGraphExecDestroy;
import static jcuda.driver.JCudaDriver.cuGraphInstantiate;
import static jcuda.driver.JCudaDriver.cuGraphLaunch;
import static jcuda.driver.JCudaDriver.cuStreamBeginCapture;
import static jcuda.driver.JCudaDriver.cuStreamEndCapture;
import static jcuda.driver.JCudaDriver.cuStreamSynchronize;

import io.deltarule.engine.spi.Replay;
import jcuda.driver.CUgraph;
import jcuda.driver.CUgraphExec;
import jcuda.driver.CUstream;

/** Recorded launches as one graph: a replay is a single call of the driver. Owns its workspace. */
final class Graph implements Replay {
  private final Context context;
  private final CUstream stream;
  private final Timeline timeline;
  private final Transfers transfers;
  private final Workspace workspace;
  private final CUgraphExec executable = new CUgraphExec();
  private final CudaBlock[] used;
  private boolean closed;

  /** Launches what is to be captured. */
  interface Launches {
    void launch(Workspace workspace);
  }

  /**
   * Captures launches, which are not executed. Their workspace allocates memory meanwhile, which
   * the relaxed mode of capturing allows.
   */
  Graph(
      Context context,
      CUstream stream,
      Timeline timeline,
      Transfers transfers,
      Workspace workspace,
      Launches launches) {
    this.context = context;
    this.stream = stream;
    this.timeline = timeline;
    this.transfers = transfers;
    this.workspace = workspace;
    try {
      CUgraph graph = new CUgraph();
      synchronized (Context.CAPTURES) {
        used = capture(launches, graph);
      }
      int status = cuGraphInstantiate(executable, graph, 0);
      Cuda.warn(cuGraphDestroy(graph), "cuGraphDestroy");
      Cuda.check(status, "cuGraphInstantiate");
    } catch (RuntimeException | Error e) {
      workspace.close();
      throw e;
    }
  }

  private CudaBlock[] capture(Launches launches, CUgraph graph) {
    Cuda.check(
        cuStreamBeginCapture(stream, CU_STREAM_CAPTURE_MODE_RELAXED), "cuStreamBeginCapture");
    timeline.beginCapture();
    try {
      launches.launch(workspace);
    } catch (RuntimeException | Error e) {
      timeline.endCapture();
      if (cuStreamEndCapture(stream, graph) == CUDA_SUCCESS) {
        Cuda.warn(cuGraphDestroy(graph), "cuGraphDestroy");
      }
      throw e;
    }
    CudaBlock[] blocks = timeline.endCapture();
    Cuda.check(cuStreamEndCapture(stream, graph), "cuStreamEndCapture");
    return blocks;
  }

  @Override
  public void run(int times) {
    for (int i = 0; i < times; i++) {
      Cuda.check(cuGraphLaunch(executable, stream), "cuGraphLaunch");
    }
    timeline.useAll(used);
    if (transfers.anySinceLastAsked()) {
      timeline.mark(); // batches are uploaded one by one: the next need not wait for the one after
    }
  }

  @Override
  public void close() {
    if (!closed) {
      closed = true;
      context.makeCurrentToRelease();
      Cuda.warn(cuStreamSynchronize(stream), "cuStreamSynchronize");
      Cuda.warn(cuGraphExecDestroy(executable), "cuGraphExecDestroy");
      workspace.close();
    }
  }
}
