// An HTTP server on port 8000: /hash gives the SHA-256 of what is sent to it.
import com.sun.net.httpserver.HttpServer;
import java.io.InputStream;
import java.net.InetSocketAddress;
import java.security.MessageDigest;
import java.util.HexFormat;
import java.util.concurrent.Executors;

public class Http {
  public static void main(String[] args) throws Exception {
    HttpServer server = HttpServer.create(new InetSocketAddress(8000), 100);
    server.setExecutor(Executors.newFixedThreadPool(8));
    server.createContext("/", exchange -> {
      byte[] answer = "hello\n".getBytes();
      try (InputStream in = exchange.getRequestBody()) {
        MessageDigest digest = MessageDigest.getInstance("SHA-256");
        byte[] buffer = new byte[65536];
        for (int n; (n = in.read(buffer)) > 0;)
          digest.update(buffer, 0, n);
        if (exchange.getRequestURI().getPath().equals("/hash"))
          answer = HexFormat.of().formatHex(digest.digest()).getBytes();
      } catch (java.security.NoSuchAlgorithmException e) {
        throw new RuntimeException(e);
      }
      exchange.sendResponseHeaders(200, answer.length);
      exchange.getResponseBody().write(answer);
      exchange.close();
    });
    server.start();
  }
}
