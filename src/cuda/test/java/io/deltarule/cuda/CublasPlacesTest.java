package io.deltarule.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CublasPlacesTest {
  @TempDir Path root;

  private String place(String file) throws IOException {
    Path path = root.resolve(file);
    Files.createDirectories(path.getParent());
    Files.createFile(path);
    return path.toString();
  }

  private List<String> found(Map<String, String> environment) {
    return new CublasPlaces(root, root.resolve("home/user"), environment::get)
        .candidates().stream().map(CublasCandidate::toString).toList();
  }

  @Test
  void onAnEmptySystemOnlyTheLinkerIsAsked() {
    List<String> linker = List.of("system's libcublas.so.12", "system's libcublas.so.13");
    assertEquals(linker, found(Map.of()));
    assertEquals(linker, found(Map.of("VIRTUAL_ENV", "", "CONDA_PREFIX", root + "/nowhere")));
  }

  @Test
  void theSystemsOwnComeFirstThenThoseOfPythonAndTwelveBeforeThirteen() throws IOException {
    Map<String, String> environment =
        Map.of(
            "CUDA_HOME", root + "/cuda",
            "VIRTUAL_ENV", root + "/venv",
            "CONDA_PREFIX", root + "/conda");
    List<String> expected =
        List.of(
            "system's libcublas.so.12",
            "system's " + place("cuda/lib64/libcublas.so.12"),
            "system's " + place("usr/local/cuda/lib64/libcublas.so.12"),
            "system's " + place("usr/local/cuda-12.9/lib64/libcublas.so.12"),
            "system's " + place("usr/local/cuda-12.4/lib64/libcublas.so.12"),
            "system's libcublas.so.13",
            "system's " + place("usr/local/cuda-13.0/lib64/libcublas.so.13"),
            "system's " + place("opt/cuda/lib64/libcublas.so.13"),
            "pip's " + place("venv/lib/python3.12/site-packages/nvidia/cublas/lib/libcublas.so.12"),
            "pip's "
                + place("conda/lib/python3.11/site-packages/nvidia/cublas/lib/libcublas.so.12"),
            "pip's "
                + place("usr/local/lib/python3.10/dist-packages/nvidia/cublas/lib/libcublas.so.12"),
            "pip's "
                + place(
                    "home/user/.local/lib/python3.12/site-packages/nvidia/cu13/lib/"
                        + "libcublas.so.13"),
            "pip's " + place("usr/lib/python3/dist-packages/nvidia/cu13/lib/libcublas.so.13"),
            "conda's " + place("conda/lib/libcublas.so.12"),
            "conda's " + place("conda/pkgs/libcublas-12.6.4.1-0/lib/libcublas.so.12"),
            "conda's " + place("conda/targets/x86_64-linux/lib/libcublas.so.13"));
    assertEquals(expected, found(environment));
  }

  @Test
  void otherVersionsAreNotTaken() throws IOException {
    place("usr/local/cuda/lib64/libcublas.so.11");
    place("usr/local/cuda/lib64/libcublas.so");
    place("usr/local/cuda-14.0/lib64/libcublas.so.14");
    assertEquals(2, found(Map.of()).size());
  }
}
